/** Bounds of bytes and age, newest first, and that no batch is lost, doubled, or dropped while it travels. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Batch } from './batch.ts'
import { BatchQueue, type QueuedBatch } from './batch-queue.ts'

const bounds = { batchesMax: 3, seriesMax: 1000, bytesMax: 1_000_000 }

function batch(startMs: number, valueBytes = 1000): Batch {
  const block = { startMs, stepMs: 1000, slotCount: 15, series: new Uint8Array(88), values: new Uint8Array(valueBytes) }
  return { block, seriesCount: 1, sampleCount: 15 }
}

function createQueue(queueBytesMax: number) {
  const dropped: [startMs: number, reason: string][] = []
  const time = { nowMs: 0 }
  const queue = new BatchQueue(
    { queueBytesMax, queueAgeMaxMs: 60_000 },
    { monotonicMs: () => time.nowMs, onDrop: ({ startMs }, reason) => dropped.push([startMs, reason]) },
  )
  return { queue, dropped, time }
}

const starts = (batches: readonly QueuedBatch[]): number[] => batches.map(({ block }) => block.startMs)

describe('BatchQueue', () => {
  it('leases the newest first and keeps what was released', () => {
    const { queue } = createQueue(100_000)
    for (const startMs of [1, 2, 3, 4, 5]) queue.keep(batch(startMs))
    const leased = queue.lease(bounds)
    assert.deepEqual(starts(leased), [5, 4, 3])
    queue.release(leased.slice(0, 1))
    queue.forget(leased.slice(1))
    assert.deepEqual(starts(queue.lease(bounds)), [5, 2, 1])
  })

  it('drops the oldest when bytes run out, but none that is on its way', () => {
    const { queue, dropped } = createQueue(5000)
    for (const startMs of [1, 2, 3]) queue.keep(batch(startMs))
    const leased = queue.lease(bounds)
    queue.keep(batch(4))
    assert.deepEqual(dropped, [])
    queue.release(leased)
    assert.deepEqual(dropped, [[1, 'queue-bytes']])
    queue.keep(batch(5))
    assert.deepEqual(dropped, [
      [1, 'queue-bytes'],
      [2, 'queue-bytes'],
    ])
    assert.ok(queue.load.bytes <= 5000)
  })

  it('keeps the newest even when it alone is too large', () => {
    const { queue, dropped } = createQueue(2000)
    queue.keep(batch(1))
    queue.keep(batch(2, 9000))
    assert.deepEqual(dropped, [[1, 'queue-bytes']])
    assert.equal(queue.load.batches, 1)
  })

  it('drops what waited too long', () => {
    const { queue, dropped, time } = createQueue(100_000)
    queue.keep(batch(1))
    time.nowMs = 60_001
    queue.keep(batch(2))
    assert.deepEqual(dropped, [[1, 'queue-age']])
  })

  it('fits requests into their bounds, but sends a large batch alone', () => {
    const { queue } = createQueue(100_000)
    queue.keep(batch(1))
    queue.keep(batch(2, 5000))
    assert.deepEqual(starts(queue.lease({ ...bounds, bytesMax: 3000 })), [2])
    assert.deepEqual(starts(queue.lease({ ...bounds, seriesMax: 1 })), [2])
  })

  it('accounts for every batch exactly once, within its bound (property)', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('keep' as const), valueBytes: fc.nat(3000) }),
      fc.record({ kind: fc.constantFrom('acknowledge' as const, 'fail' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const { queue, dropped } = createQueue(8000)
        const acknowledged: number[] = []
        let kept = 0
        for (const action of steps) {
          if (action.kind === 'keep') {
            kept += 1
            queue.keep(batch(kept, action.valueBytes))
          } else {
            const leased = queue.lease(bounds)
            if (action.kind === 'fail') queue.release(leased)
            else {
              queue.forget(leased)
              acknowledged.push(...starts(leased))
            }
          }
          assert.ok(queue.load.bytes <= 8000)
        }
        queue.dropAll('stopped')
        const all = [...acknowledged, ...dropped.map(([startMs]) => startMs)].sort((a, b) => a - b)
        assert.deepEqual(
          all,
          Array.from({ length: kept }, (_, index) => index + 1),
        )
        assert.deepEqual(queue.load, { bytes: 0, batches: 0 })
      }),
    )
  })
})
