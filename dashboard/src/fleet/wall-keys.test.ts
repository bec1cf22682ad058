/** What keys do on the wall, and which are not its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type WallControls, wallKey } from './wall-keys.ts'

function recorder(): { done: string[]; controls: WallControls } {
  const done: string[] = []
  const note =
    (name: string) =>
    (...details: unknown[]): void => {
      done.push([name, ...details.map((detail) => JSON.stringify(detail))].join(' '))
    }
  const controls = {
    moveBy: note('moveBy'),
    moveTo: note('moveTo'),
    pan: note('pan'),
    zoomBy: note('zoomBy'),
    zoomOut: note('zoomOut'),
    open: note('open'),
    leave: note('leave'),
  }
  return { done, controls }
}

test('each key does one thing', () => {
  const { done, controls } = recorder()
  for (const key of ['ArrowDown', '+', '-', '0', 'Home', 'End', 'Enter', 'Escape']) wallKey(key, false, controls)?.()
  wallKey('ArrowLeft', true, controls)?.()
  assert.deepEqual(done, [
    'moveBy {"dx":0,"dy":1}',
    'zoomBy 1.5',
    `zoomBy ${1 / 1.5}`,
    'zoomOut',
    'moveTo "first"',
    'moveTo "last"',
    'open',
    'leave',
    'pan -0.25 0',
  ])
})

test("other keys stay the page's", () => {
  for (const key of ['/', '?', 's', 'g', 'Tab']) assert.equal(wallKey(key, false, recorder().controls), undefined)
})
