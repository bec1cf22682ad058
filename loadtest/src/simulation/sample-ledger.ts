/**
 * What became of every sample: tried, acknowledged. Values are computed from (server, metric, second), so a second has one
 * value whoever sends it, and any sum tells which seconds are in it. Instants are true time, ms since the epoch.
 */
import { minuteMs, secondMs, secondsPerMinute } from '@minutely/schema/limits'
import { type SeriesRef, seriesIdentity } from '@minutely/schema/series-identity'

export const simTenantId = 'default'

export interface LedgerMinute {
  /** Of the series, as in the dictionary. */
  readonly identity: string
  readonly serverId: string
  readonly series: SeriesRef
  readonly minuteMs: number
  /** By second; Infinity: never. */
  readonly attemptedAtMs: Float64Array
  readonly acknowledgedAtMs: Float64Array
}

export class SampleLedger {
  readonly #minutes = new Map<string, LedgerMinute>()
  /** Samples come in order of time, series after series. */
  #last: LedgerMinute | undefined
  acknowledgedCount = 0

  get minutes(): Iterable<LedgerMinute> {
    return this.#minutes.values()
  }

  attempt(serverId: string, series: SeriesRef, { atMs, nowMs }: { atMs: number; nowMs: number }): void {
    const minute = this.#minute(serverId, series, atMs)
    const second = secondOf(minute, atMs)
    if (minute.attemptedAtMs[second] === Number.POSITIVE_INFINITY) minute.attemptedAtMs[second] = nowMs
  }

  acknowledge(serverId: string, series: SeriesRef, { atMs, nowMs }: { atMs: number; nowMs: number }): void {
    const minute = this.#minute(serverId, series, atMs)
    const second = secondOf(minute, atMs)
    if (minute.acknowledgedAtMs[second] !== Number.POSITIVE_INFINITY) return
    minute.acknowledgedAtMs[second] = nowMs
    this.acknowledgedCount++
  }

  #minute(serverId: string, series: SeriesRef, atMs: number): LedgerMinute {
    const startMs = Math.floor(atMs / minuteMs) * minuteMs
    const last = this.#last
    if (last?.minuteMs === startMs && last.serverId === serverId && last.series.metricId === series.metricId)
      return last
    const key = ledgerKey(serverId, series, startMs)
    let minute = this.#minutes.get(key)
    if (minute === undefined) {
      const never = (): Float64Array => new Float64Array(secondsPerMinute).fill(Number.POSITIVE_INFINITY)
      const identity = seriesIdentity({ tenantId: simTenantId, serverId }, series)
      minute = { identity, serverId, series, minuteMs: startMs, attemptedAtMs: never(), acknowledgedAtMs: never() }
      this.#minutes.set(key, minute)
    }
    this.#last = minute
    return minute
  }
}

/** A whole number in [0, 1000). */
export function sampleValue(serverId: string, { metricId }: SeriesRef, atMs: number): number {
  let hash = Math.floor(atMs / secondMs)
  for (const text of [serverId, metricId]) {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return ((hash ^ (hash >>> 12)) >>> 0) % 1_000
}

function ledgerKey(serverId: string, { metricId }: SeriesRef, startMs: number): string {
  return `${serverId} ${metricId} ${startMs}`
}

function secondOf(minute: LedgerMinute, atMs: number): number {
  return Math.floor((atMs - minute.minuteMs) / secondMs)
}
