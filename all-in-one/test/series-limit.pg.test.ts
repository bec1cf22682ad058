/**
 * A host that invents series (a request id in a label, say) beside one that goes on as ever: a million new series against the
 * whole process. What is past the limit is refused with the reason and counted; the good host loses nothing, before and after;
 * the process remembers none of the refused.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Rejection, SamplesAnswer } from '@minutely/schema/sample-wire'
import { awaitMinutes } from './await-minutes.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import { SampleModel } from './sample-model.ts'

const activeSeriesMax = 2_000
const seriesPerRequest = 5_000
const requestCount = 200
/**
 * Remembered, a million series are 450 MB (447 bytes each by default). What is not remembered is garbage, of which V8 leaves 3 to 90 MiB
 * lying about, as its heap happens to stand.
 */
const memoryBytesMax = 160 * 1_048_576
const minuteMs = 60_000
const tsMs = Math.floor(Date.now() / minuteMs) * minuteMs - 5 * minuteMs
const range = { fromMs: tsMs, toMs: tsMs + minuteMs }

interface Answer {
  readonly status: number
  readonly body: SamplesAnswer & { readonly error?: string; readonly message?: string; readonly details?: Rejection[] }
}

describe('a million new series', () => {
  let child: EmbeddedChild
  const model = new SampleModel()
  let refusedCount = 0

  before(async () => {
    const settings = { MINUTELY_ACTIVE_SERIES_MAX: String(activeSeriesMax), MINUTELY_LATE_HOLD_MS: '200' }
    child = await startChild(await temporaryFolder(), settings)
    // What any process needs once: compiled code, buffers, connections.
    for (let round = 0; round < 20; round++) await post(columns('warm', () => 'warm'))
    model.add({ serverId: 'warm', metricId: 'warm', labels: {}, value: 1, ts: tsMs })
  })
  after(() => child.stop())

  test('are refused past the limit, beside a host that goes on, within the same memory', async () => {
    await sendGood(0)
    const beforeBytes = memoryOf('VmRSS')
    writeFileSync(`/proc/${child.pid}/clear_refs`, '5')
    for (let request = 0; request < requestCount; request++) {
      const { status, body } = await post(columns('inventor', (index) => `request.${request}-${index}`))
      if (request === 0) {
        // The good host's and the one of the warm-up are active too.
        const admitted = activeSeriesMax - 3
        assert.deepEqual([status, body.accepted], [202, admitted])
        const [first] = body.rejected
        assert.equal(first?.metricId, `request.0-${admitted}`)
        assert.match(
          first?.detail ?? '',
          /2000 series are active, the limit for new ones is 2000: .*MINUTELY_ACTIVE_SERIES_MAX/,
        )
        for (const { reason, count } of body.rejected) refusedCount += reason === 'series-limit' ? count : Number.NaN
      } else {
        assert.deepEqual([status, body.error], [422, 'nothing-acceptable'])
        for (const { reason, count } of body.details ?? [])
          refusedCount += reason === 'series-limit' ? count : Number.NaN
      }
      if (request % 10 === 0) await sendGood(1 + request / 10)
    }
    assert.equal(refusedCount, requestCount * seriesPerRequest - (activeSeriesMax - 3))
    const risenBytes = memoryOf('VmHWM') - beforeBytes
    assert.ok(risenBytes <= memoryBytesMax, `memory rose by ${(risenBytes / 1_048_576).toFixed(1)} MiB`)
  })

  test('are a line of the log, not one for each', () => {
    const lines = child.output().match(/new series are (still )?refused .*first of server inventor/g) ?? []
    assert.ok(lines.length >= 1 && lines.length <= 10, `${lines.length} lines`)
  })

  test('are each counted once, and the gauges say how full it is', async () => {
    const metrics = await (await fetch(`${child.url}/metrics`)).text()
    const metricValue = (name: string) =>
      Number(
        metrics
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length + 1),
      )
    assert.equal(metricValue('minutely_samples_rejected_total{reason="series-limit"}'), refusedCount)
    assert.equal(metricValue('minutely_collector_active_series'), activeSeriesMax)
    assert.equal(metricValue('minutely_collector_active_series_max'), activeSeriesMax)
    assert.equal(metricValue('minutely_collector_new_series_total'), activeSeriesMax)
  })

  test('leave no trace but the admitted ones; the good host is exact', async () => {
    assert.deepEqual(await awaitMinutes(child.url, model, range), [])
    const answer = await fetch(`${child.url}/v1/servers/inventor/metrics`)
    const { metrics } = (await answer.json()) as { metrics: unknown[] }
    assert.equal(metrics.length, activeSeriesMax - 3)
  })

  async function sendGood(second: number): Promise<void> {
    const samples = ['cpu', 'memory'].map((metricId) => {
      return { serverId: 'good', metricId, labels: {}, value: second, ts: tsMs + second * 1_000 }
    })
    const { status, body } = await post({ samples })
    assert.deepEqual([status, body], [202, { accepted: 2, rejected: [] }])
    for (const sample of samples) model.add(sample)
  }

  async function post(body: unknown): Promise<Answer> {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${child.url}/v1/samples`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: answer.status, body: (await answer.json()) as Answer['body'] }
  }

  function memoryOf(field: 'VmRSS' | 'VmHWM'): number {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))
    return Number(line?.[1] ?? Number.NaN) * 1_024
  }
})

function columns(serverId: string, metricIdOf: (index: number) => string) {
  const series = Array.from({ length: seriesPerRequest }, (_, index) => ({ metricId: metricIdOf(index), values: [1] }))
  return { serverId, startMs: tsMs, series }
}
