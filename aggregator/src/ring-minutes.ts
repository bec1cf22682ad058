/**
 * Minutes out of Postgres for the ring: one hour, in the order of series and time, in batches of bounded size. The server
 * sends on only when a batch was taken (COPY under back-pressure), so memory holds two batches and a chunk.
 *
 * A tuple of the binary COPY here is always 78 bytes, big-endian, each field after its length:
 *
 *   i16 7 | i32 series | i32 tag | i64 minute_at | i64 seen | f64 min | f64 max | f64 sum
 *      0    6            14        22              34         46        58        70    78
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import type { RingRows } from '@minutely/lib/recent-ring/recent-ring'
import copyStreams from 'pg-copy-streams'

export interface RingSpan {
  readonly fromMs: number
  /** Half-open. */
  readonly toMs: number
  readonly rowsMax: number
}

const headerBytes = 19
const tupleBytes = 78
/** Postgres counts microseconds from 2000-01-01. */
const postgresEpochMinutes = Date.UTC(2000, 0, 1) / 60_000
const minuteUs = 60_000_000

/** Two batches in turns: whoever gets one may use it until the next one is asked for, and while that one is read. */
export async function* readRingRows(client: PoolClient, { fromMs, toMs, rowsMax }: RingSpan): AsyncGenerator<RingRows> {
  const instant = (ms: number): string => `'${new Date(ms).toISOString()}'::timestamptz`
  const stream = client.query(
    copyStreams.to(
      // `offset 0`: the tag is made once a series, not once a row.
      `copy (select series_id, tag, minute_at, seen, min, max, sum
             from minute join (
               select series_id, ('x' || left(identity::text, 8))::bit(32)::integer as tag
               from series order by series_id offset 0) as tagged using (series_id)
             where minute_at >= ${instant(fromMs)} and minute_at < ${instant(toMs)}
             order by series_id, minute_at) to stdout (format binary)`,
    ),
  )
  let [batch, other] = [new RowBatch(rowsMax), new RowBatch(rowsMax)]
  let rest: Buffer = Buffer.alloc(0)
  let toSkip = headerBytes
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = Math.min(toSkip, bytes.length)
    toSkip -= at
    for (; at + tupleBytes <= bytes.length; at += tupleBytes) {
      batch.add(bytes, at)
      if (batch.count < rowsMax) continue
      yield batch
      ;[batch, other] = [other, batch]
      batch.count = 0
    }
    rest = bytes.subarray(at)
  }
  if (batch.count > 0) yield batch
}

class RowBatch implements RingRows {
  count = 0
  readonly seriesIds: Int32Array
  readonly tags: Uint32Array
  readonly minutes: Uint32Array
  readonly seenLow: Uint32Array
  readonly seenHigh: Uint32Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array

  constructor(rowsMax: number) {
    this.seriesIds = new Int32Array(rowsMax)
    this.tags = new Uint32Array(rowsMax)
    this.minutes = new Uint32Array(rowsMax)
    this.seenLow = new Uint32Array(rowsMax)
    this.seenHigh = new Uint32Array(rowsMax)
    this.min = new Float64Array(rowsMax)
    this.max = new Float64Array(rowsMax)
    this.sum = new Float64Array(rowsMax)
  }

  add(bytes: Buffer, at: number): void {
    const row = this.count++
    this.seriesIds[row] = bytes.readInt32BE(at + 6)
    this.tags[row] = bytes.readUInt32BE(at + 14)
    const micros = bytes.readInt32BE(at + 22) * 4_294_967_296 + bytes.readUInt32BE(at + 26)
    this.minutes[row] = micros / minuteUs + postgresEpochMinutes
    this.seenHigh[row] = bytes.readUInt32BE(at + 34)
    this.seenLow[row] = bytes.readUInt32BE(at + 38)
    this.min[row] = bytes.readDoubleBE(at + 46)
    this.max[row] = bytes.readDoubleBE(at + 58)
    this.sum[row] = bytes.readDoubleBE(at + 70)
  }
}
