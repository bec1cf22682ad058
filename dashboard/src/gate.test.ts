/** Never more than the limit at once, in order, and a task that was given up does not hold a place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGate } from './gate.ts'

const never = new AbortController().signal

test('runs at most as many as allowed, in the order of arrival', async () => {
  const gate = createGate(2)
  const started: number[] = []
  let [running, most] = [0, 0]
  const task = (index: number) => async () => {
    started.push(index)
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, index % 3))
    running--
    if (index === 3) throw new Error('three')
    return index
  }
  const results = await Promise.allSettled(Array.from({ length: 9 }, (_, index) => gate.run(task(index), never)))
  assert.equal(most, 2)
  assert.deepEqual(started, [0, 1, 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(
    results.map(({ status }) => status === 'fulfilled'),
    [true, true, true, false, true, true, true, true, true],
  )
})

test('a task aborted while it waits is dropped and blocks nobody', async () => {
  const gate = createGate(1)
  const first = Promise.withResolvers<void>()
  const running = gate.run(() => first.promise, never)
  const given = new AbortController()
  const dropped = gate.run(() => assert.fail('must not run'), given.signal)
  const last = gate.run(async () => 'ran', never)
  given.abort(new Error('scrolled away'))
  await assert.rejects(dropped, /scrolled away/)
  first.resolve()
  await running
  assert.equal(await last, 'ran')
})
