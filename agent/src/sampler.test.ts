/** One reading a second on whole seconds; whatever the clock and the event loop do, no second twice. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Clock, VirtualClock } from '@minutely/lib/clock'
import fc from 'fast-check'
import pino from 'pino'
import { Registry } from 'prom-client'
import type { HostReader } from './host-metrics.ts'
import { createAgentMetrics } from './metrics.ts'
import { createSampler, mayBeSampled, secondOf } from './sampler.ts'

const startMs = 1_764_028_800_000

function createReader(read: HostReader['read']): HostReader {
  return { read, settled: async () => {}, close: () => {} }
}

function setUp(clock: Clock, read: HostReader['read'] = () => []) {
  const metrics = createAgentMetrics(new Registry(), { queue: () => ({ bytes: 0, batches: 0 }) })
  const seconds: number[] = []
  const sampler = createSampler({
    reader: createReader(read),
    clock,
    log: pino({ level: 'silent' }),
    metrics,
    onReading: (second) => seconds.push((second - startMs) / 1000),
  })
  return { sampler, seconds, metrics }
}

const counted = async (counter: { get(): Promise<{ values: { value: number }[] }> }) =>
  (await counter.get()).values[0]?.value

/** A virtual clock whose wall time can be set, as by NTP or a user; its timers go on regardless. */
class SteppingClock extends VirtualClock {
  offsetMs = 0
  override nowMs(): number {
    return super.nowMs() + this.offsetMs
  }
}

describe('createSampler', () => {
  it('reads on whole seconds, once each', async () => {
    const clock = new VirtualClock(startMs + 321)
    const { sampler, seconds } = setUp(clock)
    sampler.start()
    await clock.advance(5000)
    assert.deepEqual(seconds, [1, 2, 3, 4, 5])
    await sampler.stop()
    assert.equal(clock.pendingCount, 0)
  })

  it('leaves a gap for each second the process or the machine stood still', async () => {
    const clock = new SteppingClock(startMs)
    const { sampler, seconds, metrics } = setUp(clock)
    sampler.start()
    await clock.advance(2000)
    clock.offsetMs = 3_600_400
    await clock.advance(2000)
    assert.deepEqual(seconds, [1, 2, 3603, 3604])
    assert.equal(await counted(metrics.secondsSkipped), 3600)
    await sampler.stop()
  })

  it('waits when the clock steps back a little, goes on when it steps back far', async () => {
    const clock = new SteppingClock(startMs)
    const { sampler, seconds } = setUp(clock)
    sampler.start()
    await clock.advance(3000)
    clock.offsetMs = -2000
    await clock.advance(3000)
    assert.deepEqual(seconds, [1, 2, 3, 4])
    clock.offsetMs = -3_600_000
    await clock.advance(1000)
    assert.equal(seconds.at(-1), 7 - 3600)
    await sampler.stop()
  })

  it('never reads twice at once: a slow reading makes gaps, and belongs to the second it began in', async () => {
    const clock = new VirtualClock(startMs)
    const slow = Promise.withResolvers<[]>()
    const { sampler, seconds, metrics } = setUp(clock, () => slow.promise)
    sampler.start()
    await clock.advance(3000)
    slow.resolve([])
    await clock.advance(0)
    await clock.advance(1000)
    assert.deepEqual(seconds, [1, 4])
    assert.equal(await counted(metrics.secondsSkipped), 2)
    await sampler.stop()
  })

  it('counts a reading that fails and goes on', async () => {
    const clock = new VirtualClock(startMs)
    let calls = 0
    const { sampler, seconds, metrics } = setUp(clock, () => {
      calls += 1
      if (calls === 1) throw new Error('EIO')
      return []
    })
    sampler.start()
    await clock.advance(2000)
    assert.deepEqual(seconds, [2])
    assert.equal(await counted(metrics.readFailures), 1)
    await sampler.stop()
  })

  it('never samples a second twice unless it was refused as too far ahead (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -400_000, max: 400_000 })), (steps) => {
        let nowMs = startMs
        let lastMs = Number.NEGATIVE_INFINITY
        for (const step of steps) {
          nowMs += step
          const second = secondOf(nowMs)
          if (!mayBeSampled(second, { lastMs })) continue
          assert.ok(second > lastMs || lastMs - second > 300_000)
          lastMs = second
        }
      }),
    )
  })
})
