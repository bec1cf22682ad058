/**
 * Minutes out of Postgres for the ring, of both tiers (lib/src/minute-tiers): one hour, in the order of series, in batches of
 * bounded size. The server sends on only when a batch was taken (COPY under back-pressure), so memory holds the batches that one chunk
 * of its answer fills.
 */
import { TierDecoder } from '@minutely/lib/minute-tiers/tier-decoder'
import { TierMerge, type TierMinute, type UnreadableHourError } from '@minutely/lib/minute-tiers/tier-merge'
import { copyTaggedTiers, lockTiers } from '@minutely/lib/minute-tiers/tier-query'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import type { RingRows } from '@minutely/lib/recent-ring/recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import copyStreams from 'pg-copy-streams'

export interface RingSpan {
  readonly fromMs: number
  /** Half-open. */
  readonly toMs: number
  readonly rowsMax: number
  /** What it has is not given out: the ring does not cover it, and whoever asks is told by Postgres' reader. */
  readonly unreadable: (error: UnreadableHourError) => void
}

/** In a transaction of READ COMMITTED. Whoever gets a batch may use it until the next but one is asked for. */
export async function* readRingRows(client: PoolClient, span: RingSpan): AsyncGenerator<RingRows> {
  const { fromMs, toMs, rowsMax, unreadable } = span
  await client.query(lockTiers)
  const stream = client.query(copyStreams.to(copyTaggedTiers(span)))
  const full: RowBatch[] = []
  const spare: RowBatch[] = []
  let batch = new RowBatch(rowsMax)
  const range = { fromMinute: fromMs / minuteMs, toMinute: toMs / minuteMs }
  const merge = new TierMerge(range, {
    minute: (minute) => {
      batch.add(minute)
      if (batch.count < rowsMax) return
      full.push(batch)
      batch = spare.pop() ?? new RowBatch(rowsMax)
      batch.count = 0
    },
    unreadable,
  })
  const decoder = new TierDecoder(merge)
  // The one before the last that was given out is free again.
  let before: RowBatch | undefined
  const give = function* (): Generator<RingRows> {
    for (let next = full.shift(); next !== undefined; next = full.shift()) {
      yield next
      if (before !== undefined) spare.push(before)
      before = next
    }
  }
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    decoder.push(chunk)
    yield* give()
  }
  decoder.end()
  if (batch.count > 0) full.push(batch)
  yield* give()
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

  add({ seriesId, tag, minute, seenLow, seenHigh, min, max, sum }: TierMinute): void {
    const row = this.count++
    this.seriesIds[row] = seriesId
    this.tags[row] = tag
    this.minutes[row] = minute
    this.seenLow[row] = seenLow
    this.seenHigh[row] = seenHigh
    this.min[row] = min
    this.max[row] = max
    this.sum[row] = sum
  }
}
