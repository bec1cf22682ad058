/**
 * The sealed part of a question about minutes: from the cache (sealed-cache.ts) and, in one statement of one snapshot, the versions of
 * the hours and whatever blocks the cache lacks. With nothing lacking that statement is all that Postgres is asked.
 *
 * It also tells what the same snapshot knows of completeness and how many series the dictionary has of a server or metric, so
 * that whoever knew the dictionary before can tell whether that still holds (sealed-range.ts).
 */

import { UnreadableHourError } from '@minutely/lib/minute-tiers/tier-merge'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { createMinuteColumns, type MinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import {
  blockHeadBytes,
  type CleanHours,
  type HourSpan,
  type KnownHours,
  lackingHours,
  type SealedCache,
  type SeriesHours,
} from './sealed-cache.ts'

/** Of a server or metric, in the dictionary. */
export interface CountedSeries {
  readonly of: 'server_id' | 'metric_id'
  readonly name: string
}

export interface SealedQuestion extends HourSpan {
  readonly seriesIds: readonly number[]
  readonly counted?: CountedSeries
}

export interface SealedReading {
  /** Hours that can be read from blocks alone, of one snapshot. */
  readonly clean: CleanHours
  /** Of each series; absent: it has nothing in them. */
  readonly entries: readonly (SeriesHours | undefined)[]
  /** Of that snapshot, or of an earlier one. */
  readonly completeThroughMs: number
  readonly countedSeries: number
  /** Blocks that came from Postgres. */
  readonly blocksRead: number
}

/** Called for each series and hour that has a block; the columns are reused: copy what is to be kept. */
export type HourSink = (seriesId: number, hour: number, columns: MinuteColumns) => void

/** Blocks of one statement: some megabytes of text. */
const blocksPerStatementMax = 10_000
/** A question of more is not answered from here: it would push out what others use. About this many bytes each. */
const blockBytesUsual = 150
const shareMax = 4
/** Statements beyond those that a question needs, when hours are sealed anew meanwhile. */
const retriesMax = 3

/** Hours of one question; longer ones are of coarse steps, or of few series. */
const hoursMax = 1_500

export function fitsCache(
  cache: SealedCache,
  question: { readonly seriesIds: readonly unknown[] } & HourSpan,
): boolean {
  const hours = question.toHour - question.fromHour
  return hours <= hoursMax && question.seriesIds.length * hours * blockBytesUsual <= cache.bytesMax / shareMax
}

interface Head {
  readonly complete: number | null
  readonly incarnation: string
  readonly versions: string | null
  readonly counted: number | null
}
type StatementRow = readonly [...(number | string | null)[], seriesId: number | null, packed: Buffer | null]

/** @returns undefined when hours change faster than they are read: read them another way. */
export async function readSealed(
  question: SealedQuestion,
  { client, cache }: { readonly client: PoolClient; readonly cache: SealedCache },
): Promise<SealedReading | undefined> {
  const { seriesIds, fromHour, toHour } = question
  const perStatement = Math.max(1, Math.floor(blocksPerStatementMax / (toHour - fromHour)))
  const entries = seriesIds.map((id) => cache.get(id))
  let missing = lackingSeries(entries, cache.known(question))
  let blocksRead = 0
  const statementsMax = Math.ceil(missing.indexes.length / perStatement) + retriesMax
  for (let statement = 0; statement < statementsMax; statement++) {
    const asked = missing.indexes.slice(0, perStatement)
    const { span } = missing
    const { head, packed } = await ask(client, question, {
      ...span,
      seriesIds: asked.map((index) => seriesIds[index] as number),
    })
    if (cache.enter(head.incarnation)) entries.fill(undefined)
    const clean = cache.note(head.versions ?? '', question)
    const known = cache.known(question)
    cache.completeThroughMs = head.complete ?? 0
    for (const index of asked) {
      const seriesId = seriesIds[index] as number
      const bytes = packed.get(seriesId) ?? noBytes
      entries[index] = cache.put(seriesId, { span, known, packed: bytes })
      for (let at = 0; at < bytes.length; at += blockHeadBytes + bytes.readInt32BE(at + 4)) blocksRead++
    }
    missing = lackingSeries(entries, known)
    if (missing.indexes.length > 0) continue
    return { clean, entries, completeThroughMs: head.complete ?? 0, countedSeries: head.counted ?? 0, blocksRead }
  }
  return undefined
}

const noBytes = Buffer.alloc(0)

/** Which series lack something, and the hours from the first to the last that one of them lacks. */
function lackingSeries(
  entries: readonly (SeriesHours | undefined)[],
  known: KnownHours,
): { indexes: number[]; span: HourSpan } {
  const indexes: number[] = []
  let [fromHour, toHour] = [known.toHour, known.fromHour]
  for (const [index, entry] of entries.entries()) {
    const lacking = lackingHours(entry, known)
    if (lacking === undefined) continue
    indexes.push(index)
    fromHour = Math.min(fromHour, lacking.fromHour)
    toHour = Math.max(toHour, lacking.toHour)
  }
  return { indexes, span: { fromHour, toHour } }
}

/** Gives out what is clean, by series, then hour. @throws UnreadableHourError */
export class SealedDecoder {
  readonly #decoder = new HourBlockDecoder()
  readonly #columns = createMinuteColumns(minutesPerHour)

  giveOut(question: SealedQuestion, { clean, entries }: SealedReading, sink: HourSink): void {
    const { fromHour, toHour, seriesIds } = question
    seriesIds.forEach((seriesId, index) => {
      const entry = entries[index]
      if (entry === undefined) return
      const { firstHour, starts, lengths, bytes } = entry
      for (let hour = fromHour; hour < toHour; hour++) {
        const length = lengths[hour - firstHour] ?? 0
        if (length === 0 || clean[hour - fromHour] === 0) continue
        const start = starts[hour - firstHour] as number
        this.#decode(bytes.subarray(start, start + length), { seriesId, hour })
        sink(seriesId, hour, this.#columns)
      }
    })
  }

  #decode(block: Uint8Array, { seriesId, hour }: { readonly seriesId: number; readonly hour: number }): void {
    try {
      this.#decoder.decode(block, this.#columns, 0)
    } catch (error) {
      if (!(error instanceof HourBlockError)) throw error
      throw new UnreadableHourError(seriesId, hour, error)
    }
  }
}

const headSql = (counted: CountedSeries | undefined): string =>
  `(select extract(epoch from min(complete_through_at)) * 1000 from partition_progress)::float8,
   pg_postmaster_start_time()::text,
   (select string_agg(hour || ' ' || xmin, ',') from hour_seal
    where hour >= $1 and hour < $2 and state = 'sealed' and not dirty),
   ${counted === undefined ? 'null::integer' : `(select count(*)::integer from series where ${counted.of} = $3)`}`

const blocksSql = (first: number): string =>
  `union all select null, null, null, null, series_id,
     string_agg(int4send(hour) || int4send(octet_length(block)) || block, '' order by hour)
   from hour_block where series_id = any ($${first}::integer[]) and hour >= $${first + 1} and hour < $${first + 2} group by series_id`

async function ask(
  client: PoolClient,
  { fromHour, toHour, counted }: SealedQuestion,
  missing: HourSpan & { readonly seriesIds: readonly number[] },
): Promise<{ head: Head; packed: Map<number, Buffer> }> {
  const values: unknown[] = [fromHour, toHour, ...(counted === undefined ? [] : [counted.name])]
  let text = `select ${headSql(counted)}, null::integer, null::bytea`
  if (missing.seriesIds.length > 0) {
    text += ` ${blocksSql(values.length + 1)}`
    values.push(missing.seriesIds, missing.fromHour, missing.toHour)
  }
  const name = `sealed-${counted?.of ?? 'hours'}-${missing.seriesIds.length > 0 ? 'blocks' : 'versions'}`
  const { rows } = await client.query<StatementRow[]>({ name, text, values, rowMode: 'array' } as never)
  let head: Head | undefined
  const packed = new Map<number, Buffer>()
  for (const row of rows as unknown as StatementRow[]) {
    const [complete, incarnation, versions, ofCounted, seriesId, blocks] = row as [
      number | null,
      string | null,
      string | null,
      number | null,
      number | null,
      Buffer | null,
    ]
    if (seriesId !== null && blocks !== null) packed.set(seriesId, blocks)
    else head = { complete, incarnation: incarnation ?? '', versions, counted: ofCounted }
  }
  if (head === undefined) throw new Error('BUG: a statement of sealed hours without its first row')
  return { head, packed }
}
