/**
 * The hot minutes of one hour in slices of whole chunks of series, in their order, so that memory is bounded and nothing is kept
 * open between two slices. A slice is one walk along the primary key of the hour's minute blocks, a COPY with these tuples:
 *
 *   0      2    6        10   14        18   22        26   30       34   38           42
 *   | i16 5|i32 4|i32 chunk|i32 4|i32 tenant|i32 4|i32 first|i32 4|i32 minute|i32 length|block ...
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { createMinuteColumns, type MinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import {
  blockProblem,
  firstIdOf,
  minuteBlockLayout,
  readRecordInto,
  recordBytes,
  seriesPerChunk,
  viewOf,
} from '@minutely/schema/minute-block/minute-block'
import copyStreams from 'pg-copy-streams'
import { hourMs } from './hour-locks.ts'
import { SealRefusedError } from './seal-refused.ts'
import { inClientTransaction } from './seal-transaction.ts'

const headerBytes = 19
const trailerBytes = 2
const tupleHeadBytes = 38

export interface SliceQuestion {
  /** Hours since 1970. */
  readonly hour: number
  /** Chunks up to this one have had their turn. */
  readonly afterChunk: number
  /** Series-minutes; what a chunk has is read in any case. */
  readonly rowsMax: number
}

/** The hot minutes of a series: absent ones are those that it has not, or that only its hour block has. */
export interface HotSeries {
  readonly seriesId: number
  readonly tenantId: number
  /** One object for all series of a slice, to be read before the next one. */
  readonly columns: MinuteColumns
}

interface Chunk {
  readonly chunk: number
  readonly tuples: Tuple[]
}

interface Tuple {
  readonly tenantId: number
  readonly first: number
  readonly minute: number
  readonly block: DataView
}

export class HourSlice {
  readonly isLast: boolean
  readonly #chunks: readonly Chunk[]

  /** `tuples`: of the whole COPY, without its header and trailer. @throws SealRefusedError */
  constructor(tuples: Buffer, { tuplesMax }: { readonly tuplesMax: number }) {
    const chunks: Chunk[] = []
    let count = 0
    for (let at = 0; at < tuples.length; count++) at += readTuple(tuples, at, chunks)
    this.isLast = count < tuplesMax
    // The last chunk may have more: it is the first of the next slice.
    this.#chunks = this.isLast ? chunks : chunks.slice(0, -1)
  }

  /** undefined: not one whole chunk fitted. */
  get lastChunk(): number | undefined {
    return this.#chunks.at(-1)?.chunk
  }

  seriesIds(): number[] {
    const ids: number[] = []
    for (const { chunk, tuples } of this.#chunks) {
      let present = 0
      for (const { first, block } of tuples) {
        for (let index = 0; index * recordBytes < block.byteLength; index++) {
          const at = index * recordBytes
          if (block.getUint32(at) !== 0 || block.getUint32(at + 4) !== 0) present |= 1 << (first + index)
        }
      }
      for (let slot = 0; slot < seriesPerChunk; slot++) {
        if ((present & (1 << slot)) !== 0) ids.push(firstIdOf(chunk) + slot)
      }
    }
    return ids
  }

  /** In the order of their ids. @throws SealRefusedError */
  *series(): Generator<HotSeries> {
    const columns = createMinuteColumns(seriesPerChunk * minutesPerHour)
    const parts = Array.from({ length: seriesPerChunk }, (_, slot) => partOf(columns, slot))
    const tenantIds = new Int32Array(seriesPerChunk)
    for (const { chunk, tuples } of this.#chunks) {
      columns.seenLow.fill(0)
      columns.seenHigh.fill(0)
      let present = 0
      for (const { tenantId, first, minute, block } of tuples) {
        for (let index = 0; index * recordBytes < block.byteLength; index++) {
          const slot = first + index
          if (!readRecordInto(block, index, { columns, slot: slot * minutesPerHour + minute })) continue
          if (block.getUint32(index * recordBytes) >= 2 ** 28) throw outside(firstIdOf(chunk) + slot, minute)
          present |= 1 << slot
          tenantIds[slot] = tenantId
        }
      }
      for (let slot = 0; slot < seriesPerChunk; slot++) {
        if ((present & (1 << slot)) === 0) continue
        yield {
          seriesId: firstIdOf(chunk) + slot,
          tenantId: tenantIds[slot] as number,
          columns: parts[slot] as MinuteColumns,
        }
      }
    }
  }
}

function outside(seriesId: number, minute: number): SealRefusedError {
  return new SealRefusedError('outside', `series ${seriesId} has seconds at minute ${minute} that no minute has`)
}

function partOf({ seenLow, seenHigh, min, max, sum }: MinuteColumns, slot: number): MinuteColumns {
  const [from, to] = [slot * minutesPerHour, (slot + 1) * minutesPerHour]
  return {
    seenLow: seenLow.subarray(from, to),
    seenHigh: seenHigh.subarray(from, to),
    min: min.subarray(from, to),
    max: max.subarray(from, to),
    sum: sum.subarray(from, to),
  }
}

/** @returns its bytes. */
function readTuple(bytes: Buffer, at: number, chunks: Chunk[]): number {
  const [chunk, tenantId] = [bytes.readInt32BE(at + 6), bytes.readInt32BE(at + 14)]
  const [first, minute] = [bytes.readInt32BE(at + 22), bytes.readInt32BE(at + 30)]
  const length = bytes.readInt32BE(at + 34)
  const problem = length < 0 ? 'it has a layout of a newer release' : blockProblem(first, length)
  if (problem !== undefined) {
    const what = `the minute block of series ${firstIdOf(chunk) + first} and those after it, minute ${minute},`
    throw new SealRefusedError('unreadable', `${what} cannot be read: ${problem}`)
  }
  if (chunks.at(-1)?.chunk !== chunk) chunks.push({ chunk, tuples: [] })
  const block = viewOf(bytes.subarray(at + tupleHeadBytes, at + tupleHeadBytes + length))
  chunks.at(-1)?.tuples.push({ tenantId, first, minute, block })
  return tupleHeadBytes + length
}

/** @throws SealRefusedError */
export async function readSlice(client: PoolClient, question: SliceQuestion): Promise<HourSlice> {
  // Whole chunks of one tenant fit; one that many tenants share takes another attempt.
  let tuplesMax = Math.max(minutesPerHour + 1, Math.ceil(question.rowsMax / seriesPerChunk))
  for (;;) {
    const slice = await readTuples(client, question, tuplesMax)
    if (slice.isLast || slice.lastChunk !== undefined) return slice
    tuplesMax *= 2
  }
}

async function readTuples(
  client: PoolClient,
  { hour, afterChunk }: SliceQuestion,
  tuplesMax: number,
): Promise<HourSlice> {
  const instant = (at: number): string => `'${new Date(at * hourMs).toISOString()}'::timestamptz`
  return inClientTransaction(client, async () => {
    // Along the primary key: anything else would read the whole hour for each slice.
    await client.query('set local enable_sort = off; set local enable_seqscan = off; set local enable_bitmapscan = off')
    const stream = client.query(
      copyStreams.to(
        `copy (select chunk, tenant_id, first::integer, (extract(epoch from minute_at - ${instant(hour)}) / 60)::integer,
                 case when layout = ${minuteBlockLayout} then block end
               from minute_block
               where minute_at >= ${instant(hour)} and minute_at < ${instant(hour + 1)} and chunk > ${afterChunk}
               order by chunk, minute_at, tenant_id limit ${tuplesMax}) to stdout (format binary)`,
      ),
    )
    const chunks: Buffer[] = []
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    return new HourSlice(bytes.subarray(headerBytes, bytes.length - trailerBytes), { tuplesMax })
  })
}
