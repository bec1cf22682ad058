import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { StoreRewoundError } from './minute-store.ts'
import { stubbornly } from './stubbornly.ts'

test('waits 100 ms, twice as long each time, 10 s at most, with jitter, on the clock', async () => {
  const clock = new VirtualClock(0)
  const triedAtMs: number[] = []
  const attempt = async (): Promise<string> => {
    triedAtMs.push(clock.nowMs())
    if (triedAtMs.length < 12) throw new Error('away')
    return 'done'
  }
  const { signal } = new AbortController()
  const done = stubbornly(attempt, { signal, clock, random: () => 0.5, onFailure: () => {} })
  // The first delay begins only once the first attempt has failed.
  await clock.advance(0)
  await clock.advance(100_000)
  assert.equal(await done, 'done')
  const delaysMs = triedAtMs.slice(1).map((atMs, index) => atMs - (triedAtMs[index] as number))
  assert.deepEqual(delaysMs, [150, 300, 600, 1_200, 2_400, 4_800, 9_600, 10_000, 10_000, 10_000, 10_000])
})

test('ends in the middle of a delay when the signal aborts', async () => {
  const clock = new VirtualClock(0)
  const abort = new AbortController()
  const work = async (): Promise<never> => {
    throw new Error('away')
  }
  const done = stubbornly(work, { signal: abort.signal, clock, random: () => 0, onFailure: () => {} })
  await clock.advance(50)
  assert.equal(clock.pendingCount, 1)
  abort.abort()
  assert.equal(await done, undefined)
  assert.equal(clock.pendingCount, 0)
})

test('neither a store that was set back nor a defect is tried again', async () => {
  const clock = new VirtualClock(0)
  const { signal } = new AbortController()
  for (const error of [new StoreRewoundError('lost'), new RangeError('BUG')]) {
    const work = async (): Promise<never> => {
      throw error
    }
    await assert.rejects(stubbornly(work, { signal, clock, random: () => 0, onFailure: () => {} }), error)
  }
})
