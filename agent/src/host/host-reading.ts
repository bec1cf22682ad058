/**
 * One reading of a host after another, as samples: names and labels by the catalogue, values rounded to its digits,
 * counters as rates. Readers say what they saw; what cannot be a sample (a first count, a non-finite number) is left out.
 *
 * A series is the same object in every reading, so that the batch behind it finds its row without building a key.
 */
import { controlCharacterPattern, labelValueBytesMax } from '@minutely/schema/limits'
import type { Labels, SeriesRef } from '@minutely/schema/series-identity'
import type { HostSample } from '../host-metrics.ts'
import { CounterRates } from './counter-rates.ts'
import { type HostMetricId, hostMetrics } from './host-metric-catalogue.ts'

const controlCharacters = new RegExp(controlCharacterPattern, 'g')
/** Series remembered: readers are bounded to about 1,700; names that came and went must not pile up. */
const seriesMax = 10_000

export class HostReading {
  readonly #series = new Map<string, SeriesRef>()
  readonly #totals = new WeakMap<SeriesRef, object>()
  readonly #rates: CounterRates
  #samples: HostSample[] = []

  constructor(options: { elapsedMsMax: number }) {
    this.#rates = new CounterRates(options)
  }

  begin(monotonicMs: number): void {
    this.#rates.begin(monotonicMs)
    this.#samples = []
    if (this.#series.size > seriesMax) this.#series.clear()
  }

  /** The samples since begin(). */
  get samples(): HostSample[] {
    return this.#samples
  }

  /** A value as it stands. `labelValues` in the catalogue's order of labels. */
  level(metricId: HostMetricId, labelValues: readonly string[], value: number | undefined): void {
    if (value !== undefined) this.#emit(metricId, this.#seriesOf(metricId, labelValues), value)
  }

  /** A counter since boot, sent as its rate per second. */
  rate(metricId: HostMetricId, labelValues: readonly string[], count: number | undefined): void {
    if (count === undefined) return
    const series = this.#seriesOf(metricId, labelValues)
    this.#emit(metricId, series, this.#rates.perSecond(series, count))
  }

  /** A counter of seconds during which something was so: its rate is a share, at most 1 (the kernel rounds up ticks). */
  shareOfTime(metricId: HostMetricId, labelValues: readonly string[], seconds: number | undefined): void {
    if (seconds === undefined) return
    const series = this.#seriesOf(metricId, labelValues)
    const rate = this.#rates.perSecond(series, seconds)
    this.#emit(metricId, series, rate === undefined ? undefined : Math.min(1, rate))
  }

  /**
   * Counters that divide one whole (CPU modes), sent as shares that add up to 1. A single one that goes backwards while
   * the whole goes on counts as 0: the kernel's iowait does that (proc(5): "not reliable").
   */
  shares(metricId: HostMetricId, parts: readonly { labelValues: readonly string[]; count: number }[]): void {
    const [first] = parts
    if (first === undefined) return
    const whole = this.#totalOf(this.#seriesOf(metricId, first.labelValues))
    const wholeRate = this.#rates.perSecond(
      whole,
      parts.reduce((sum, { count }) => sum + count, 0),
    )
    const rates = parts.map(({ labelValues, count }) => {
      const series = this.#seriesOf(metricId, labelValues)
      return { series, rate: this.#rates.perSecond(series, count) ?? 0 }
    })
    const sum = rates.reduce((total, { rate }) => total + rate, 0)
    if (wholeRate === undefined || sum === 0) return
    for (const { series, rate } of rates) this.#emit(metricId, series, rate / sum)
  }

  #emit(metricId: HostMetricId, series: SeriesRef, value: number | undefined): void {
    if (value === undefined || !Number.isFinite(value)) return
    this.#samples.push({ series, value: rounded(value, hostMetrics[metricId].digits) })
  }

  #seriesOf(metricId: HostMetricId, labelValues: readonly string[]): SeriesRef {
    const key = `${metricId}\u0001${labelValues.join('\u0001')}`
    const known = this.#series.get(key)
    if (known !== undefined) return known
    const names = hostMetrics[metricId].labels ?? []
    const labels: Record<string, string> = {}
    for (const [index, name] of names.entries()) labels[name] = labelValue(labelValues[index] ?? '')
    const series = { metricId, labels: labels satisfies Labels }
    this.#series.set(key, series)
    return series
  }

  /** The key of the sum of the shares whose first part is this series. */
  #totalOf(series: SeriesRef): object {
    const known = this.#totals.get(series)
    if (known !== undefined) return known
    const total = {}
    this.#totals.set(series, total)
    return total
  }
}

/** Rounded to decimal digits, never -0. */
export function rounded(value: number, digits: 0 | 2 | 4): number {
  const scale = 10 ** digits
  const scaled = Math.round(value * scale)
  // Past 2^53 in that scale the value has no such digits any more.
  return Number.isSafeInteger(scaled) ? scaled / scale + 0 : value
}

/** Device and mount names may hold anything; the contract wants 1 to 512 bytes without control characters. */
export function labelValue(name: string): string {
  const clean = name.replace(controlCharacters, '?')
  if (clean === '') return '?'
  if (Buffer.byteLength(clean) <= labelValueBytesMax) return clean
  let bytes = 0
  let kept = ''
  for (const character of clean) {
    bytes += Buffer.byteLength(character)
    if (bytes > labelValueBytesMax) break
    kept += character
  }
  return kept
}
