/** Reports of the ingest: every count once, whatever the log does, and nobody waits for them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ingestMetrics, ingestServerId } from '@minutely/schema/ingest-names'
import { decodeSampleRecord, decodeSeriesList } from '@minutely/schema/sample-codec'
import { describeSeries } from '@minutely/schema/series-identity'
import fc from 'fast-check'
import { VirtualClock } from '../clock.ts'
import { silentLog } from '../postgres/test-database.ts'
import { type LogAppend, LogUnavailableError } from '../sample-log/sample-log.ts'
import { IngestReport, reportEveryMs } from './ingest-report.ts'

const startMs = Date.UTC(2026, 0, 5, 12)

/** A log that folds as an aggregator does: the first value of a second wins. */
function rig({ isOn = true }: { isOn?: boolean } = {}) {
  const clock = new VirtualClock(startMs)
  const seconds = new Map<string, number>()
  const mood = { refuses: false, losesAnswers: false, hangs: false }
  let appends = 0
  const take = (records: readonly LogAppend[]): void => {
    for (const { payload } of records) {
      const { sections } = decodeSampleRecord(payload)
      for (const { serverId, startMs: atMs, series, values } of sections) {
        assert.equal(serverId, ingestServerId)
        const numbers = new Float64Array(new Uint8Array(values).buffer)
        decodeSeriesList(Buffer.from(series)).forEach((one, row) => {
          const key = `${atMs - startMs} ${describeSeries(one)}`
          if (!seconds.has(key)) seconds.set(key, numbers[row] as number)
        })
      }
    }
  }
  const sampleLog = {
    route: ({ metricId }: { metricId: string }) => ({ topic: metricId, partition: 0 }),
    append: async (records: readonly LogAppend[]): Promise<void> => {
      appends++
      if (mood.hangs) return new Promise(() => {})
      if (mood.refuses) throw new LogUnavailableError('refused')
      take(records)
      if (mood.losesAnswers) throw new LogUnavailableError('the answer was lost')
    },
  }
  const report = new IngestReport({ isOn, source: 's' }, { sampleLog, clock, log: silentLog, port: 1 })
  const accept = (count: number): void => report.add('samples', { outcome: 'accepted' }, count)
  const totalOf = (text: string): number =>
    [...seconds].reduce((sum, [key, value]) => (key.includes(text) ? sum + value : sum), 0)
  return { clock, seconds, mood, report, accept, totalOf, appendCount: () => appends }
}

describe('a report', () => {
  it('is under the instant at which its counts began, on the grid of 15 s', async () => {
    const { clock, seconds, report, accept } = rig()
    await clock.advance(7_500)
    accept(3)
    report.add('samples', { outcome: 'rejected', reason: 'time-too-old', host: 'web-1' }, 2)
    report.add('requests', { error: 'overloaded' }, 1)
    await clock.advance(8_000)
    accept(4)
    await clock.advance(reportEveryMs)
    assert.deepEqual(Object.fromEntries(seconds), {
      '7000 minutely.ingest.samples{outcome="accepted",source="s"}': 3,
      '7000 minutely.ingest.samples{host="web-1",outcome="rejected",reason="time-too-old",source="s"}': 2,
      '7000 minutely.ingest.requests{error="overloaded",source="s"}': 1,
      '15000 minutely.ingest.samples{outcome="accepted",source="s"}': 4,
    })
  })

  it('says 0 for what was accepted when nothing is, and nothing before anything was', async () => {
    const { clock, seconds, accept } = rig()
    await clock.advance(60_000)
    assert.equal(seconds.size, 0)
    assert.equal(clock.pendingCount, 0)
    accept(1)
    await clock.advance(45_100)
    assert.deepEqual([...seconds.values()], [1, 0, 0])
  })

  it('takes what is collected for it, and values as they are', async () => {
    const { clock, seconds, report, accept } = rig()
    let lag = 12.5
    report.beforeReport(() => report.set('lag', lag))
    accept(1)
    await clock.advance(15_100)
    lag = 70
    await clock.advance(15_000)
    const lags = [...seconds].filter(([key]) => key.includes(ingestMetrics.lag)).map(([, value]) => value)
    assert.deepEqual(lags, [12.5, 70])
  })

  it('is sent when the process stops, and not at all where it is switched off', async () => {
    const on = rig()
    on.accept(5)
    await on.report.stop()
    assert.equal(on.totalOf('accepted'), 5)
    assert.equal(on.clock.pendingCount, 0)
    const off = rig({ isOn: false })
    off.accept(5)
    await off.report.stop()
    assert.equal(off.appendCount(), 0)
  })
})

describe('a log that fails', () => {
  it('costs no count and doubles none, whatever it does (property)', async () => {
    const moods = fc.array(fc.record({ refuses: fc.boolean(), losesAnswers: fc.boolean(), count: fc.nat(9) }), {
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(moods, async (steps) => {
        const { clock, mood, accept, report, totalOf } = rig()
        for (const { refuses, losesAnswers, count } of steps) {
          Object.assign(mood, { refuses, losesAnswers })
          accept(count)
          await clock.advance(reportEveryMs)
        }
        Object.assign(mood, { refuses: false, losesAnswers: false })
        await clock.advance(reportEveryMs)
        await report.stop()
        assert.equal(
          totalOf('accepted'),
          steps.reduce((sum, { count }) => sum + count, 0),
        )
      }),
      { numRuns: 50 },
    )
  })

  it('is asked for one append at a time when it hangs, and a stop does not wait for it', async () => {
    const { clock, mood, accept, report, appendCount } = rig()
    mood.hangs = true
    for (let i = 0; i < 50; i++) {
      accept(1)
      await clock.advance(reportEveryMs)
    }
    assert.equal(appendCount(), 1)
    const stopping = report.stop()
    await clock.advance(2_000)
    await stopping
  })

  it('keeps the bound of series: more are left out', async () => {
    const { clock, seconds, report } = rig()
    for (let i = 0; i < 6_000; i++) report.add('requests', { error: `e${i}` }, 1)
    await clock.advance(15_100)
    assert.equal(seconds.size, 5_000)
  })
})
