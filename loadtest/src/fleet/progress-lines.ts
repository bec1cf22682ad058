/** What a person sees while a fleet runs: a line every few seconds with throughput, how far minutes are closed, and lag. */
import { batchSeconds } from '../generated-fleet.ts'
import type { FleetRun } from './fleet-run.ts'
import { scrape, valuesOfMetric } from './prometheus-text.ts'

export interface ProgressFigures {
  readonly samplesPerS: number
  readonly completeThroughMs: number
  /** Series-minutes stored since the aggregators that live now began. */
  readonly storedMinutes: number
  /** Of the partition that is furthest behind the log. */
  readonly lagS: number
}

export class ProgressLines {
  readonly #run: FleetRun
  #acknowledged = 0
  #atMs = Date.now()

  constructor(run: FleetRun) {
    this.#run = run
  }

  async line(): Promise<string> {
    const { samplesPerS, completeThroughMs, storedMinutes, lagS } = await this.figures()
    const { unknown, refused } = this.#run.ledger.totals()
    const closed = completeThroughMs === 0 ? 'no minute closed yet' : `complete through ${clockTime(completeThroughMs)}`
    const behind = completeThroughMs === 0 ? '' : ` (${Math.round((Date.now() - completeThroughMs) / 1_000)} s ago)`
    const parts = [
      `${Math.round(samplesPerS).toLocaleString('en')} samples/s`,
      `${closed}${behind}`,
      `${storedMinutes.toLocaleString('en')} series-minutes stored`,
      `aggregators ${lagS.toFixed(1)} s behind`,
      `${unknown} batches not acknowledged`,
      ...(refused > 0 ? [`${refused} REFUSED`] : []),
    ]
    return parts.join(' | ')
  }

  async figures(): Promise<ProgressFigures> {
    const { ledger, services, generated, watch } = this.#run
    const { acknowledged } = ledger.totals()
    const nowMs = Date.now()
    const perBatch = generated.shape.metricCount * batchSeconds
    const samplesPerS = ((acknowledged - this.#acknowledged) * perBatch) / ((nowMs - this.#atMs) / 1_000)
    this.#acknowledged = acknowledged
    this.#atMs = nowMs
    const living = services.aggregators.filter(({ state }) => state === 'running')
    const rows = (await Promise.all(living.map(({ url }) => scrape(url)))).flat()
    return {
      samplesPerS,
      completeThroughMs: watch.report().completeThroughMs,
      storedMinutes: valuesOfMetric(rows, 'minutely_aggregator_stored_minutes_total').reduce(
        (sum, one) => sum + one,
        0,
      ),
      lagS: Math.max(0, ...valuesOfMetric(rows, 'minutely_aggregator_lag_seconds')),
    }
  }
}

export function clockTime(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(11, 19)
}
