/**
 * What this process counted of its ingest, as samples of Minutely's own in the log (docs/decisions/0024-ingest-health.md).
 *
 *   add, set ──> counts ──(every 15 s)──> a record, waiting ──(one at a time, oldest first)──> log
 *                   ^                         │ recordsMax of them: then nothing is taken from the counts
 *                   └── they go on adding up ─┘
 *
 * A record's instant is when its counts began, in whole seconds, and it is sent until the log has it: a minute is a set of
 * (second, value), so a count that was sent twice is there once. Nothing here fails or waits on behalf of anybody: a log that
 * refuses or hangs is told in the process' log, and tried again. Begins with the first count.
 *
 * Bounds: seriesMax different series between two records (more are dropped and said), recordsMax records.
 */
import { type IngestMetric, ingestMetrics, ingestServerId } from '@minutely/schema/ingest-names'
import { secondMs } from '@minutely/schema/limits'
import { encodeSampleRecord, encodeSeriesList, type SampleSection } from '@minutely/schema/sample-codec'
import { type Labels, type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import type { Clock } from '../clock.ts'
import type { Service } from '../lifecycle.ts'
import { type Logger, warnBriefly } from '../logging.ts'
import type { LogAppend, LogPartition, SampleLog } from '../sample-log/sample-log.ts'
import { type IngestReportConfig, sourceName } from './ingest-report-settings.ts'

export const reportEveryMs = 15_000
/** Of a stop: no longer than what others take for theirs. */
const lastReportMs = 2_000
/** Timers may be early; an instant of the minute before would be late. */
const timerGraceMs = 20
const recordsMax = 8
const seriesMax = 5_000
/** Every request's, until there are tokens that say whose a request is. */
const tenantId = 'default'

/** What services count with. */
export interface IngestCounter {
  /** Adds to a count. */
  add(metric: 'samples' | 'requests', labels: Labels, count: number): void
  /** What is the case, sent with the next record; called as often as one likes. */
  set(metric: 'lag', value: number): void
}

export interface IngestReportDeps {
  readonly sampleLog: Pick<SampleLog, 'route' | 'append'>
  readonly clock: Clock
  readonly log: Logger
  /** Where the process listens. */
  readonly port: number
}

interface Count {
  readonly series: SeriesRef
  /** Sent as 0, too: that nothing came is not the same as that nobody was there. */
  readonly isKept: boolean
  value: number
}

export class IngestReport implements IngestCounter, Service {
  readonly name = 'ingest-report'
  readonly #config: IngestReportConfig
  readonly #deps: IngestReportDeps
  readonly #source: string
  readonly #counts = new Map<string, Count>()
  readonly #waiting: LogAppend[][] = []
  readonly #collectors: (() => void)[] = []
  #sinceMs = 0
  #lastMs = 0
  #sending: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #isFull = false
  #isStopping = false

  constructor(config: IngestReportConfig, deps: IngestReportDeps) {
    this.#config = config
    this.#deps = deps
    this.#source = sourceName(config, deps.port)
  }

  /** Called before each record: adds or sets what it has. */
  beforeReport(collect: () => void): void {
    this.#collectors.push(collect)
  }

  add(metric: 'samples' | 'requests', labels: Labels, count: number): void {
    // Heartbeats: what was accepted, or late, is 0 from then on when there is none.
    const isKept = metric === 'samples' && labels['outcome'] !== 'rejected'
    const known = this.#countOf(metric, labels, isKept)
    if (known !== undefined) known.value += count
  }

  set(metric: 'lag', value: number): void {
    const known = this.#countOf(metric, {}, false)
    if (known !== undefined) known.value = value
  }

  async start(): Promise<void> {}

  /** Sends what there is, for a moment. */
  async stop(): Promise<void> {
    this.#cancelTimer?.()
    this.#close()
    this.#isStopping = true
    const waited = new AbortController()
    await Promise.race([this.#send(), this.#deps.clock.sleep(lastReportMs, waited.signal)])
    waited.abort()
  }

  #countOf(metric: IngestMetric, labels: Labels, isKept: boolean): Count | undefined {
    if (!this.#config.isOn || this.#isStopping) return undefined
    const series = { metricId: ingestMetrics[metric], labels: { ...labels, source: this.#source } }
    const key = seriesKey(series)
    const known = this.#counts.get(key)
    if (known !== undefined) return known
    if (this.#counts.size >= seriesMax) {
      if (!this.#isFull)
        this.#deps.log.warn({ seriesMax }, 'more is to be reported of the ingest than is: the rest is not')
      this.#isFull = true
      return undefined
    }
    if (this.#sinceMs === 0) this.#begin()
    const count = { series, isKept, value: 0 }
    this.#counts.set(key, count)
    return count
  }

  #begin(): void {
    this.#sinceMs = this.#deps.clock.nowMs()
    this.#schedule()
  }

  /** On the grid of agents, so that a minute's last record is in the log before the minute closes. */
  #schedule(): void {
    const waitMs = reportEveryMs - (this.#deps.clock.nowMs() % reportEveryMs) + timerGraceMs
    this.#cancelTimer = this.#deps.clock.schedule(waitMs, () => {
      this.#close()
      void this.#send()
      this.#schedule()
    })
  }

  /** Counts to a record that waits. */
  #close(): void {
    if (this.#sinceMs === 0) return
    for (const collect of this.#collectors) collect()
    if (this.#counts.size === 0 || this.#waiting.length >= recordsMax) return
    const instantMs = Math.max(Math.floor(this.#sinceMs / secondMs) * secondMs, this.#lastMs + secondMs)
    this.#waiting.push(this.#recordsOf(instantMs))
    this.#lastMs = instantMs
    this.#sinceMs = this.#deps.clock.nowMs()
    this.#isFull = false
    for (const [key, count] of this.#counts) {
      if (count.isKept) count.value = 0
      else this.#counts.delete(key)
    }
  }

  #recordsOf(instantMs: number): LogAppend[] {
    const byPartition = new Map<string, { partition: LogPartition; counts: Count[] }>()
    for (const count of this.#counts.values()) {
      const { metricId } = count.series
      const partition = this.#deps.sampleLog.route({ tenantId, serverId: ingestServerId, metricId })
      const key = `${partition.topic} ${partition.partition}`
      const part = byPartition.get(key) ?? { partition, counts: [] }
      byPartition.set(key, part)
      part.counts.push(count)
    }
    return [...byPartition.values()].map(({ partition, counts }) => {
      const section: SampleSection = {
        tenantId,
        serverId: ingestServerId,
        startMs: instantMs,
        stepMs: secondMs,
        slotCount: 1,
        series: encodeSeriesList(counts.map(({ series }) => series)),
        values: Buffer.from(new Float64Array(counts.map(({ value }) => value)).buffer),
      }
      const receivedAtMs = this.#deps.clock.nowMs()
      return { ...partition, payload: encodeSampleRecord({ receivedAtMs, sections: [section] }) }
    })
  }

  #send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  async #sendAll(): Promise<void> {
    for (let oldest = this.#waiting[0]; oldest !== undefined; oldest = this.#waiting[0]) {
      try {
        await this.#deps.sampleLog.append(oldest)
      } catch (error) {
        const message = 'what this process counted of its ingest could not be stored; it is kept and tried again'
        warnBriefly(this.#deps.log, error as Error, { message })
        return
      }
      this.#waiting.shift()
    }
  }
}
