/**
 * A collector as a process: the real judging (accept-batch.ts) and gathering (linger.ts) behind a door without HTTP. What it has
 * acknowledged is noted when it answers, whether or not the answer arrives.
 */
import { RetryableError, type Verdict } from '@minutely/agent/collector-client'
import { ActiveSeries } from '@minutely/collector-api/accept/active-series'
import { SeriesListCache } from '@minutely/collector-api/accept/series-list-cache'
import { acceptBatch } from '@minutely/collector-api/accept-batch'
import type { CollectorConfig } from '@minutely/collector-api/config'
import { Linger } from '@minutely/collector-api/linger'
import type { CollectorMetrics } from '@minutely/collector-api/metrics'
import type { Logger } from '@minutely/lib/logging'
import type { SampleLog } from '@minutely/lib/sample-log/sample-log'
import { ApiError } from '@minutely/schema/error-catalogue'
import { minuteMs, secondMs } from '@minutely/schema/limits'
import { decodeSampleBatch, decodeSeriesList, type SampleBatch, type SampleBlock } from '@minutely/schema/sample-codec'
import type { SampleLedger } from './sample-ledger.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

export const simCollectorConfig: CollectorConfig = {
  bodyBytesMax: 1 << 20,
  decodedBytesMax: 1 << 23,
  decodedRatioMax: 50,
  receivedBytesInFlightMax: 1 << 27,
  decodedBytesInFlightMax: 1 << 26,
  seriesPerRequestMax: 5_000,
  sampleFutureMsMax: 5 * minuteMs,
  sampleAgeMsMax: 48 * 60 * minuteMs,
  activeSeriesMax: 10_000,
  activeSeriesBytesMax: 1 << 20,
  newSeriesPerMinuteMax: 10_000,
  seriesCacheBytesMax: 1 << 20,
  ingestHostsMax: 50,
  lingerMs: 250,
  lingerBytesMax: 1 << 18,
  recordBytesMax: 1 << 16,
  appendDeadlineMs: 8_000,
  appendsInFlightMax: 2,
  appendQueueBytesMax: 1 << 20,
}

export interface SimCollectorDeps {
  readonly world: SimWorld
  readonly process: SimProcess
  readonly sampleLog: SampleLog
  readonly ledger: SampleLedger
  readonly log: Logger
  readonly metrics: CollectorMetrics
}

export class SimCollector {
  readonly process: SimProcess
  readonly #deps: SimCollectorDeps
  readonly #linger: Linger
  readonly #activeSeries: ActiveSeries
  readonly #cache: SeriesListCache

  constructor(deps: SimCollectorDeps) {
    const { world, process, sampleLog, log, metrics } = deps
    this.process = process
    this.#deps = deps
    const { clock } = process
    this.#linger = new Linger({ clock, sampleLog, metrics, log, random: world.random.next, config: simCollectorConfig })
    this.#activeSeries = new ActiveSeries(simCollectorConfig, clock.nowMs())
    const activeSeries = this.#activeSeries
    this.#cache = new SeriesListCache({ sampleLog, activeSeries, bytesMax: 1 << 20, lookedUp: () => {} })
  }

  /** POST /v1/samples. Never settles when the process dies. @throws RetryableError for a status that says: again. */
  post(body: Buffer): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      this.process.receive(() => {
        this.#answer(body).then(resolve, reject)
      })
    })
  }

  async #answer(body: Buffer): Promise<Verdict> {
    const { world, process, sampleLog, ledger } = this.#deps
    const { serverId, blocks } = openBody(body)
    try {
      const known = { cache: this.#cache, activeSeries: this.#activeSeries }
      const deps = { clock: process.clock, sampleLog, ...known, config: simCollectorConfig }
      const { acceptedCount, rejections, sections } = acceptBatch(body, 'avro', deps)
      await this.#linger.append(sections)
      if (acceptedCount === 0) return { kind: 'refused', status: 422, message: 'nothing acceptable' }
      const isWhole = rejections.total === 0
      if (isWhole)
        for (const block of blocks)
          forEachSample(block, (series, atMs) => ledger.acknowledge(serverId, series, { atMs, nowMs: world.nowMs }))
      world.note(process.name, `acknowledges ${acceptedCount} of ${serverId}${isWhole ? '' : ', not all'}`)
      return { kind: 'accepted', accepted: acceptedCount, rejected: [] }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      world.note(process.name, `answers ${error.id}`)
      const retryAfterMs = error.retryAfterS === undefined ? undefined : error.retryAfterS * secondMs
      throw new RetryableError(error.message, { reason: `status-${error.status}`, retryAfterMs })
    }
  }
}

const opened = new WeakMap<Buffer, SampleBatch>()

/** A body is sent and looked at several times. */
export function openBody(body: Buffer): SampleBatch {
  let found = opened.get(body)
  if (found === undefined) {
    found = decodeSampleBatch(body)
    opened.set(body, found)
  }
  return found
}

export function forEachSample(
  block: SampleBlock,
  visit: (series: ReturnType<typeof decodeSeriesList>[number], atMs: number, value: number) => void,
): void {
  const { startMs, stepMs, slotCount, values } = block
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength)
  for (const [row, series] of decodeSeriesList(block.series).entries()) {
    for (let slot = 0; slot < slotCount; slot++) {
      const value = view.getFloat64((row * slotCount + slot) * 8, true)
      if (!Number.isNaN(value)) visit(series, startMs + slot * stepMs, value)
    }
  }
}
