/**
 * What every Clock must do, as a suite its implementations' tests call. Durations are a few real milliseconds for a
 * clock that cannot be advanced; only order is asserted, never how long something took.
 */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import type { Clock } from './clock.ts'

export interface ClockUnderTest {
  create(): Clock
  /** Lets this much of the clock's time pass, or waits for at least that. */
  pass(clock: Clock, durationMs: number): Promise<void>
}

export function clockContract(name: string, subject: ClockUnderTest): void {
  test(`${name}: time passes and does not go back`, async () => {
    const clock = subject.create()
    const beforeMs = clock.nowMs()
    await subject.pass(clock, 5)
    assert.ok(Number.isFinite(beforeMs) && clock.nowMs() >= beforeMs)
  })

  test(`${name}: a timer fires once, later than the call that made it`, async () => {
    const clock = subject.create()
    let count = 0
    clock.schedule(0, () => count++)
    assert.equal(count, 0)
    await subject.pass(clock, 20)
    assert.equal(count, 1)
  })

  test(`${name}: timers fire by due time, then in order of creation`, async () => {
    const clock = subject.create()
    const order: string[] = []
    clock.schedule(15, () => order.push('c'))
    clock.schedule(2, () => order.push('a1'))
    clock.schedule(2, () => order.push('a2'))
    clock.schedule(8, () => order.push('b'))
    await subject.pass(clock, 60)
    assert.deepEqual(order, ['a1', 'a2', 'b', 'c'])
  })

  test(`${name}: a cancelled timer never fires; cancelling twice or after it fired does nothing`, async () => {
    const clock = subject.create()
    const fired: string[] = []
    const cancelEarly = clock.schedule(5, () => fired.push('cancelled'))
    const cancelLate = clock.schedule(1, () => {
      fired.push('kept')
      cancelEarly()
    })
    await subject.pass(clock, 30)
    cancelEarly()
    cancelLate()
    await subject.pass(clock, 10)
    assert.deepEqual(fired, ['kept'])
  })

  test(`${name}: sleep resolves after its time, in the order of timers`, async () => {
    const clock = subject.create()
    const order: string[] = []
    const sleeping = [10, 3].map(async (durationMs) => {
      await clock.sleep(durationMs)
      order.push(`slept ${durationMs}`)
    })
    clock.schedule(6, () => order.push('timer 6'))
    assert.deepEqual(order, [])
    await subject.pass(clock, 50)
    await Promise.all(sleeping)
    assert.deepEqual(order, ['slept 3', 'timer 6', 'slept 10'])
  })

  test(`${name}: an abort ends a sleep at once, also one that happened before`, async () => {
    const clock = subject.create()
    const abort = new AbortController()
    const sleeping = clock.sleep(3_600_000, abort.signal)
    abort.abort()
    await sleeping
    await clock.sleep(3_600_000, abort.signal)
  })

  test(`${name}: a sleep leaves no listener on its signal, however it ends`, async () => {
    const clock = subject.create()
    const abort = new AbortController()
    const listeners = (): number => getEventListeners(abort.signal, 'abort').length
    for (let round = 0; round < 3; round++) {
      const sleeping = clock.sleep(1, abort.signal)
      assert.equal(listeners(), 1)
      await subject.pass(clock, 10)
      await sleeping
      assert.equal(listeners(), 0)
    }
    const sleeping = clock.sleep(3_600_000, abort.signal)
    abort.abort()
    await sleeping
    await clock.sleep(1, abort.signal)
    assert.equal(listeners(), 0)
  })

  test(`${name}: a delay of months does not fire at once; a negative one does not fire in the past`, async () => {
    const clock = subject.create()
    const fired: string[] = []
    const cancels = [2 ** 31, 90 * 86_400_000, Number.POSITIVE_INFINITY].map((delayMs) =>
      clock.schedule(delayMs, () => fired.push(`${delayMs}`)),
    )
    const beforeMs = clock.nowMs()
    clock.schedule(-1000, () => fired.push(clock.nowMs() >= beforeMs ? 'now' : 'past'))
    await subject.pass(clock, 20)
    assert.deepEqual(fired, ['now'])
    for (const cancel of cancels) cancel()
  })

  test(`${name}: a delay that is no number is our mistake`, () => {
    assert.throws(() => subject.create().schedule(Number.NaN, () => {}), /BUG: /)
  })
}
