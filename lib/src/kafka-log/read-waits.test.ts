import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { VirtualClock } from '../clock.ts'
import { ReadWaits } from './read-waits.ts'

/** Sees which waits have ended. */
function rig() {
  const clock = new VirtualClock(1_800_000_000_000)
  const waits = new ReadWaits({ clock })
  const ended: string[] = []
  const begin = (name: string, waitMs: number, signal?: AbortSignal) => {
    const wait = waits.begin(clock.nowMs() + waitMs, signal)
    wait.ended.then(() => ended.push(name))
    return wait
  }
  return { clock, ended, begin }
}

test('a wait ends after its time, when its signal aborts, or when it is ended, and the others go on', async () => {
  const { clock, ended, begin } = rig()
  const abort = new AbortController()
  begin('timed', 1_000)
  begin('aborted', 60_000, abort.signal)
  const told = begin('told', 60_000)
  const last = begin('last', 60_000)
  await clock.advance(900)
  assert.deepEqual(ended, [])
  await clock.advance(150)
  assert.deepEqual(ended, ['timed'])
  abort.abort()
  assert.equal(getEventListeners(abort.signal, 'abort').length, 0)
  told.end()
  await clock.advance(100)
  assert.deepEqual(ended, ['timed', 'told', 'aborted'])
  last.end()
  await clock.advance(100)
  assert.equal(ended.length, 4)
})

test('however many wait, there is one timer, and none when nobody does', async () => {
  const { clock, ended, begin } = rig()
  assert.equal(clock.pendingCount, 0)
  for (let index = 0; index < 1_000; index++) begin(String(index), 500)
  assert.equal(clock.pendingCount, 1)
  await clock.advance(1_000)
  assert.deepEqual([ended.length, clock.pendingCount], [1_000, 0])
  begin('later', 500)
  await clock.advance(1_000)
  assert.equal(ended.at(-1), 'later')
})
