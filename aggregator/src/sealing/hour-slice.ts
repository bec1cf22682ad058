/**
 * The hot rows of one hour in slices of whole series, in the order of series and time, so that memory is bounded and nothing is kept
 * open between two slices. A slice is one walk along the hour's primary key, a COPY whose tuples are as in minute-copy.ts:
 *
 *   i16 7 | i32 4, i32 series | i32 4, i32 tenant | i32 8, i64 minute_at | i32 8, i64 seen | i32 8, f64 min | max | sum
 *         0    6                   14                  22                     34                46        58    70    78
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import copyStreams from 'pg-copy-streams'
import { hourMs } from './hour-locks.ts'
import { inClientTransaction } from './seal-transaction.ts'

const headerBytes = 19
const tupleBytes = 78
const trailerBytes = 2
/** Postgres counts microseconds from 2000-01-01. */
const postgresEpochMs = Date.UTC(2000, 0, 1)

export interface SliceQuestion {
  /** Hours since 1970. */
  readonly hour: number
  /** Series up to this one have had their turn. */
  readonly afterSeriesId: number
  /** More than an hour of one series. */
  readonly rowsMax: number
}

export interface HotRow {
  readonly seriesId: number
  readonly tenantId: number
  /** Minutes since the beginning of the hour. */
  readonly minute: number
  /** Bits 0 to 31 of `seen`, and 32 to 63. */
  readonly seenLower: number
  readonly seenUpper: number
  readonly min: number
  readonly max: number
  readonly sum: number
}

export class HourSlice {
  readonly rowCount: number
  readonly isLast: boolean
  readonly #tuples: Buffer
  readonly #hour: number

  /** `tuples`: of the whole COPY, without its header and trailer. */
  constructor(tuples: Buffer, { hour, rowsMax }: SliceQuestion) {
    this.#tuples = tuples
    this.#hour = hour
    const read = tuples.length / tupleBytes
    this.isLast = read < rowsMax
    // The last series may have more: it is the first of the next slice.
    this.rowCount = this.isLast ? read : firstOf(tuples, read)
  }

  row(index: number): HotRow {
    const [bytes, at] = [this.#tuples, index * tupleBytes]
    const micros = bytes.readInt32BE(at + 22) * 4_294_967_296 + bytes.readUInt32BE(at + 26)
    return {
      seriesId: bytes.readInt32BE(at + 6),
      tenantId: bytes.readInt32BE(at + 14),
      minute: (micros / 1_000 + postgresEpochMs - this.#hour * hourMs) / 60_000,
      seenUpper: bytes.readUInt32BE(at + 34),
      seenLower: bytes.readUInt32BE(at + 38),
      min: bytes.readDoubleBE(at + 46),
      max: bytes.readDoubleBE(at + 58),
      sum: bytes.readDoubleBE(at + 70),
    }
  }

  seriesIds(): number[] {
    const ids: number[] = []
    for (let row = 0; row < this.rowCount; row++) {
      const id = this.#tuples.readInt32BE(row * tupleBytes + 6)
      if (ids.at(-1) !== id) ids.push(id)
    }
    return ids
  }
}

/** Where the last series begins. */
function firstOf(tuples: Buffer, count: number): number {
  const idAt = (row: number): number => tuples.readInt32BE(row * tupleBytes + 6)
  let row = count - 1
  while (row > 0 && idAt(row - 1) === idAt(count - 1)) row--
  return row
}

export async function readSlice(client: PoolClient, question: SliceQuestion): Promise<HourSlice> {
  const { hour, afterSeriesId, rowsMax } = question
  if (rowsMax <= minutesPerHour) throw new Error(`BUG: slices of ${rowsMax} rows, less than a series may have`)
  const instant = (at: number): string => `'${new Date(at * hourMs).toISOString()}'::timestamptz`
  return inClientTransaction(client, async () => {
    // Along the primary key: anything else would read the whole hour for each slice.
    await client.query('set local enable_sort = off; set local enable_seqscan = off; set local enable_bitmapscan = off')
    const stream = client.query(
      copyStreams.to(
        `copy (select series_id, tenant_id, minute_at, seen, min, max, sum from minute
               where minute_at >= ${instant(hour)} and minute_at < ${instant(hour + 1)} and series_id > ${afterSeriesId}
               order by series_id, minute_at limit ${rowsMax}) to stdout (format binary)`,
      ),
    )
    const chunks: Buffer[] = []
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    return new HourSlice(bytes.subarray(headerBytes, bytes.length - trailerBytes), question)
  })
}
