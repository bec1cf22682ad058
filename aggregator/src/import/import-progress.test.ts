/** How far an import is, as it is said: what is stored counts, and what an earlier run has done is no speed of this one. */
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { createTotals } from './import-counts.ts'
import { ImportProgress } from './import-progress.ts'
import { summaryOf } from './import-summary.ts'

const mega = 1_000_000
const stateOf = (readBytes: number, read: number, added: number) => ({
  readBytes,
  totalBytes: 100 * mega,
  totals: { ...createTotals(), read, added },
})

function createProgress(isTerminal: boolean) {
  const written: string[] = []
  const clock = new VirtualClock(0)
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      written.push(String(chunk))
      done()
    },
  }) as unknown as NodeJS.WriteStream
  Object.assign(stream, {
    isTTY: isTerminal,
    columns: 120,
    cursorTo: () => {},
    clearLine: () => {},
    moveCursor: () => {},
  })
  const progress = new ImportProgress('file', 100 * mega, { clock, stream, isTerminal })
  return { progress, clock, written }
}

test('without a terminal it is a line every ten seconds', async () => {
  const { progress, clock, written } = createProgress(false)
  progress.update(stateOf(20 * mega, 2 * mega, 2 * mega))
  await clock.advance(10_000)
  progress.update(stateOf(60 * mega, 6 * mega, 4 * mega))
  progress.update(stateOf(60 * mega, 6 * mega, 5 * mega))
  await clock.advance(10_000)
  progress.wait(200_000)
  progress.stop()
  assert.deepEqual(written, [
    'file: 4,000,000 points, 200,000/s, 30 s left\n',
    'file: waits: live data is 200 s behind\n',
  ])
})

test('on a terminal it is a bar', async () => {
  const { progress, clock, written } = createProgress(true)
  await clock.advance(10_000)
  progress.update(stateOf(50 * mega, 5 * mega, 5 * mega))
  progress.stop()
  const text = written.join('')
  assert.match(text, /█{12}░{12} 50 % {2}5,000,000 points/)
})

test('the summary leaves out what did not happen', () => {
  const totals = {
    ...createTotals(),
    lines: 3,
    read: 12_000,
    added: 11_998,
    refused: { 'time-too-old': 2 },
    examples: ['x'],
  }
  assert.deepEqual(summaryOf('file', totals, 1_234), [
    'file: done after 1.2 s',
    '  lines                             3',
    '  points read                  12,000',
    '  added                        11,998',
    '  refused                           2',
    '    time-too-old                    2',
    '  first of what was refused:',
    '    x',
  ])
})
