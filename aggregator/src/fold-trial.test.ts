/** Real processes with a decoder that has a defect (test/deadly-decoder.ts), and records that are only bad. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Clock, SystemClock } from '@minutely/lib/clock'
import { silentLog } from '@minutely/lib/postgres/test-database'
import type { LogRecord } from '@minutely/lib/sample-log/sample-log'
import { encodeSampleRecord } from '@minutely/schema/sample-codec'
import { FoldTrial } from './fold-trial.ts'
import { sectionOf } from './minute-model.ts'

const deadlyDecoder = fileURLToPath(new URL('../test/deadly-decoder.ts', import.meta.url))
process.env['NODE_OPTIONS'] = `--import=${deadlyDecoder}`

const system = new SystemClock()
/** What it waits for an answer, as part of the real time. */
let pace = 1
const clock: Clock = {
  nowMs: () => system.nowMs(),
  schedule: (delayMs, callback) => system.schedule(delayMs, callback),
  sleep: (durationMs, signal) => system.sleep(durationMs * pace, signal),
}
const never = new AbortController().signal

function record(metricId: string, position = 0): LogRecord {
  const grid = { startMs: 60_000, stepMs: 1_000 }
  const sections = [sectionOf('web-1', grid, [{ series: { metricId, labels: {} }, values: [1] }])]
  return { position, appendedAtMs: 60_000, payload: encodeSampleRecord({ receivedAtMs: 60_000, sections }) }
}
const bad: LogRecord = { position: 1, appendedAtMs: 60_000, payload: Buffer.from('no record') }

describe('FoldTrial', () => {
  const trial = new FoldTrial({ clock, log: silentLog })
  after(() => trial.stop())

  test('sound and undecodable records are survived, in one process', async () => {
    assert.deepEqual(
      await trial.fold([record('cpu'), bad, { ...bad, unreadable: { reason: 'x', detail: '' } }], never),
      {
        kind: 'survived',
      },
    )
    assert.deepEqual(await trial.fold([bad], never), { kind: 'survived' })
  })

  test('one that ends its process is a death, and the next trial has a process again', async () => {
    const outcomes = await Promise.all([
      trial.fold([record('cpu'), record('deadly.metric')], never),
      trial.fold([record('cpu')], never),
      trial.fold([record('deadly.metric')], never),
    ])
    assert.deepEqual(outcomes, [
      { kind: 'died', how: 'SIGKILL' },
      { kind: 'survived' },
      { kind: 'died', how: 'SIGKILL' },
    ])
  })

  test('one that never ends is a death after a while', async () => {
    assert.equal((await trial.fold([record('cpu')], never)).kind, 'survived')
    pace = 0.01
    assert.deepEqual(await trial.fold([record('endless.metric')], never), { kind: 'died', how: 'no answer in 30 s' })
    pace = 1
  })

  test('who is asked to stop finds nothing out', async () => {
    const abort = new AbortController()
    const outcome = trial.fold([record('endless.metric')], abort.signal)
    setImmediate(() => abort.abort())
    assert.deepEqual(await outcome, { kind: 'untried' })
    assert.deepEqual(await trial.fold([record('deadly.metric')], abort.signal), { kind: 'untried' })
  })
})
