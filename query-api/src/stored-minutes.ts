/**
 * Stored minutes for a question that takes whole hours as columns: what is sealed from the cache (sealed-hours.ts), the rest by COPY of
 * both tiers (minute-copy.ts). Which hours are sealed is asked first, so what COPY reads is of a later snapshot:
 *
 *   hours      | sealed, clean ........... | dirty | sealed, clean | hot ... |
 *   read from  | blocks, snapshot 1        | COPY  | blocks, 1     | COPY    |        COPY: snapshots after 1
 *
 * An hour that was clean in the first has all its minutes in the blocks of the first; any other is read as a whole later, from
 * whichever tier has it then. So a minute is given out once, in a state that it had after the question began.
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { type MinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { minuteMs } from '@minutely/schema/limits'
import { LatestTables } from './latest-tables.ts'
import type { QueryMetrics } from './metrics.ts'
import { type MinuteQuery, type MinuteSink, popCount, readMinutes } from './minute-copy.ts'
import { type CleanHours, SealedCache } from './sealed-cache.ts'
import {
  fitsCache,
  type HourSink,
  readSealed,
  SealedDecoder,
  type SealedQuestion,
  type SealedReading,
} from './sealed-hours.ts'
import { SeriesLists } from './series-lists.ts'
import { hourMs } from './time-range.ts'

export interface SealedStore {
  readonly cache: SealedCache
  readonly lists: SeriesLists
  readonly tables: LatestTables
  readonly decoder: SealedDecoder
  /** Blocks that a question needed, and how many of them came from Postgres. */
  readonly count: (blocks: { readonly read: number; readonly cached: number }) => void
}

/** Of the memory: one part in so many is for lists of series, another for tables of latest values. */
const listsShare = 8

/** @returns undefined for 0 bytes: there is none. */
export function createSealedStore(
  bytesMax: number,
  { cacheBytes, sealedBlocks }: Pick<QueryMetrics, 'cacheBytes' | 'sealedBlocks'>,
): SealedStore | undefined {
  if (bytesMax === 0) return undefined
  const used = { blocks: 0, lists: 0, tables: 0 }
  const show = (part: Partial<typeof used>): void => {
    Object.assign(used, part)
    cacheBytes.set(used.blocks + used.lists + used.tables)
  }
  const listBytesMax = Math.floor(bytesMax / listsShare)
  const lists = new SeriesLists(listBytesMax, { bytes: (bytes) => show({ lists: bytes }) })
  return {
    cache: new SealedCache(bytesMax - 2 * listBytesMax, {
      bytes: (bytes) => show({ blocks: bytes }),
      forgotten: () => lists.clear(),
    }),
    lists,
    tables: new LatestTables(listBytesMax, { bytes: (bytes) => show({ tables: bytes }) }),
    decoder: new SealedDecoder(),
    count: ({ read, cached }) => {
      sealedBlocks.inc({ source: 'store' }, read)
      sealedBlocks.inc({ source: 'cache' }, cached)
    },
  }
}

export interface StoredQuery extends MinuteQuery {
  /** Minutes of a series come in ascending order. */
  readonly isOrdered: boolean
  /** Takes hours that lie wholly in the range and have a block; their minutes do not go to the sink then. */
  readonly hours: HourSink
}

interface Part {
  readonly fromHour: number
  readonly toHour: number
  readonly isClean: boolean
}

/** Statements for parts that are not sealed; with more of them one reads it all. */
const copiesMax = 3

export function hoursOf({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) {
  return { fromHour: Math.floor(fromMs / hourMs), toHour: Math.ceil(toMs / hourMs) }
}

/** @throws UnreadableHourError */
export async function readStoredMinutes(
  query: StoredQuery,
  sink: MinuteSink,
  { client, sealed }: { readonly client: PoolClient; readonly sealed: SealedStore },
): Promise<void> {
  const question = { seriesIds: query.seriesIds, ...hoursOf(query) }
  if (question.seriesIds.length === 0 || query.fromMs >= query.toMs) return
  const reading = fitsCache(sealed.cache, question)
    ? await readSealed(question, { client, cache: sealed.cache })
    : undefined
  const parts = reading === undefined ? [] : partsOf(reading.clean, question)
  const open = parts.filter(({ isClean }) => !isClean)
  if (reading === undefined || open.length > copiesMax || open.length === parts.length) {
    await readMinutes(client, query, sink)
    return
  }
  for (const part of parts) {
    if (part.isClean) {
      giveOutSealed(
        { ...question, fromHour: part.fromHour, toHour: part.toHour },
        { query, reading: sliceOf(reading, question, part), sink },
        sealed,
      )
      continue
    }
    const fromMs = Math.max(query.fromMs, part.fromHour * hourMs)
    await readMinutes(client, { ...query, fromMs, toMs: Math.min(query.toMs, part.toHour * hourMs) }, sink)
  }
}

/** Hours that are clean: whole ones as columns, those at the ends of the range minute by minute. */
export function giveOutSealed(
  question: SealedQuestion,
  { query, reading, sink }: { readonly query: StoredQuery; readonly reading: SealedReading; readonly sink: MinuteSink },
  sealed: SealedStore,
): void {
  const { fromMs, toMs, hours } = query
  let blocks = 0
  sealed.decoder.giveOut(question, reading, (seriesId, hour, columns) => {
    blocks++
    if (hour * hourMs >= fromMs && (hour + 1) * hourMs <= toMs) hours(seriesId, hour, columns)
    else giveMinutes({ seriesId, hour, columns }, query, sink)
  })
  const read = Math.min(blocks, reading.blocksRead)
  sealed.count({ read, cached: blocks - read })
}

/** The minutes of an hour that lie in the range, one by one. */
export function giveMinutes(
  { seriesId, hour, columns }: { readonly seriesId: number; readonly hour: number; readonly columns: MinuteColumns },
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  sink: MinuteSink,
): void {
  const values = { min: 0, max: 0, sum: 0, count: 0 }
  const first = Math.max(0, (fromMs - hour * hourMs) / minuteMs)
  const end = Math.min(minutesPerHour, (toMs - hour * hourMs) / minuteMs)
  for (let minute = first; minute < end; minute++) {
    values.count = popCount(columns.seenLow[minute] as number) + popCount(columns.seenHigh[minute] as number)
    if (values.count === 0) continue
    values.min = columns.min[minute] as number
    values.max = columns.max[minute] as number
    values.sum = columns.sum[minute] as number
    sink(seriesId, hour * hourMs + minute * minuteMs, values)
  }
}

function partsOf(clean: CleanHours, { fromHour, toHour }: SealedQuestion): Part[] {
  const parts: Part[] = []
  for (let hour = fromHour; hour < toHour; ) {
    const isClean = clean[hour - fromHour] === 1
    let end = hour + 1
    while (end < toHour && (clean[end - fromHour] === 1) === isClean) end++
    parts.push({ fromHour: hour, toHour: end, isClean })
    hour = end
  }
  return parts
}

const sliceOf = (reading: SealedReading, question: SealedQuestion, part: Part): SealedReading => ({
  ...reading,
  clean: reading.clean.subarray(part.fromHour - question.fromHour, part.toHour - question.fromHour),
})
