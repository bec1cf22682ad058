/**
 * What is known while one request is judged, and what becomes of it: counts, verdicts and sections. Every sample of the
 * request ends in exactly one of acceptedCount and rejections; gaps (null, NaN) in neither.
 */
import type { SeriesRef } from '@minutely/schema/series-identity'
import type { RoutedSection } from '../series-routing.ts'
import { type ActiveSeries, type SeriesRefusal, serverSeries } from './active-series.ts'
import type { TimeBounds } from './judge-time.ts'
import { Rejections } from './rejections.ts'
import { SectionBuilder } from './section-builder.ts'

export interface AcceptanceOptions {
  readonly tenantId: string
  readonly bounds: TimeBounds
  readonly seriesMax: number
  readonly activeSeries: ActiveSeries
}

export class Acceptance {
  readonly bounds: TimeBounds
  readonly seriesMax: number
  readonly tenantId: string
  readonly rejections = new Rejections()
  readonly builder: SectionBuilder
  /** Sections that are passed on as they were sent. `order` as in section-builder.ts, together with whose. */
  readonly passed: (RoutedSection & { readonly order: number })[] = []
  /** How many of `passed` are, bit by bit but for zeros' signs, the blocks that were sent. */
  asSentCount = 0
  acceptedCount = 0
  readonly #activeSeries: ActiveSeries
  /** How often each series of the request was listed so far, by server and key. */
  readonly #listed = new Map<string, number>()

  constructor(options: AcceptanceOptions) {
    this.tenantId = options.tenantId
    this.bounds = options.bounds
    this.seriesMax = options.seriesMax
    this.#activeSeries = options.activeSeries
    this.builder = new SectionBuilder(options.tenantId)
  }

  /** How often the series was listed before; a refusal when the request or the tenant has all the series that it may. */
  list(serverId: string, series: SeriesRef): ListedSeries | SeriesRefusal {
    const key = serverSeries(serverId, series)
    const before = this.#listed.get(key) ?? 0
    if (before === 0 && this.#listed.size >= this.seriesMax) {
      return { kind: 'rejected', reason: 'series-per-request', detail: seriesPerRequestDetail(this.seriesMax) }
    }
    const refusal = before === 0 ? this.#activeSeries.admit(key) : null
    if (refusal !== null) return refusal
    this.#listed.set(key, before + 1)
    return { kind: 'listed', before }
  }
}

interface ListedSeries {
  readonly kind: 'listed'
  readonly before: number
}

export function seriesPerRequestDetail(seriesMax: number): string {
  return `a request may hold ${seriesMax} series; send the others in a request of their own`
}
