/**
 * What the answer must be: minutes computed from the set of samples, the slow and obvious way. The first value of a
 * second wins; sums of decimals are exact.
 */
import type { SeriesAnswer } from '@minutely/schema/query-wire'
import { type Labels, seriesKey } from '@minutely/schema/series-identity'

export interface Sample {
  readonly serverId: string
  readonly metricId: string
  readonly labels: Labels
  /** ms since the epoch. */
  readonly ts: number
  /** A decimal of at most 2 digits. */
  readonly value: number
}

export interface ModelMinute {
  readonly min: number
  readonly max: number
  readonly sum: number
  readonly count: number
}

const minuteMs = 60_000

export class SampleModel {
  /** Server -> series -> minute -> second -> value. */
  readonly #servers = new Map<string, Map<string, Map<number, Map<number, number>>>>()

  add({ serverId, metricId, labels, ts, value }: Sample): void {
    const series = upsert(this.#servers, serverId)
    const minutes = upsert(series, seriesKey({ metricId, labels }))
    const seconds = upsert(minutes, Math.floor(ts / minuteMs) * minuteMs)
    const second = Math.floor(ts / 1_000)
    if (!seconds.has(second)) seconds.set(second, value)
  }

  get serverIds(): string[] {
    return [...this.#servers.keys()]
  }

  get sampleCount(): number {
    let count = 0
    for (const series of this.#servers.values()) {
      for (const minutes of series.values()) for (const seconds of minutes.values()) count += seconds.size
    }
    return count
  }

  /** `series key @ minute` -> minute, for comparing whole servers at once. */
  minutesOf(serverId: string): Map<string, ModelMinute> {
    const minutes = new Map<string, ModelMinute>()
    for (const [key, series] of this.#servers.get(serverId) ?? []) {
      for (const [minute, seconds] of series) {
        const values = [...seconds.values()]
        const hundredths = values.reduce((sum, value) => sum + Math.round(value * 100), 0)
        minutes.set(`${key} @ ${new Date(minute).toISOString()}`, {
          min: Math.min(...values),
          max: Math.max(...values),
          sum: hundredths / 100,
          count: values.length,
        })
      }
    }
    return minutes
  }
}

/** The same map from an answer with stepMs = 60000. */
export function minutesOfAnswer(answer: SeriesAnswer): Map<string, ModelMinute> {
  const minutes = new Map<string, ModelMinute>()
  for (const series of answer.series) {
    for (const [slot, count] of (series.count ?? []).entries()) {
      if (count === null) continue
      const at = new Date(answer.startMs + slot * minuteMs).toISOString()
      minutes.set(`${seriesKey(series)} @ ${at}`, {
        min: series.min?.[slot] ?? Number.NaN,
        max: series.max?.[slot] ?? Number.NaN,
        sum: series.sum?.[slot] ?? Number.NaN,
        count,
      })
    }
  }
  return minutes
}

/** What differs, one line each, for a message that a person can use; empty when nothing does. */
export function differences(expected: Map<string, ModelMinute>, actual: Map<string, ModelMinute>): string[] {
  const lines: string[] = []
  for (const key of new Set([...expected.keys(), ...actual.keys()])) {
    const [want, got] = [JSON.stringify(expected.get(key)), JSON.stringify(actual.get(key))]
    if (want !== got)
      lines.push(`${key.replaceAll('\u0001', ' ')}: expected ${want ?? 'nothing'}, found ${got ?? 'nothing'}`)
  }
  return lines
}

function upsert<K, I, V>(map: Map<K, Map<I, V>>, key: K): Map<I, V> {
  const inner = map.get(key) ?? new Map<I, V>()
  map.set(key, inner)
  return inner
}
