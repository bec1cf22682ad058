/**
 * The parts of open minutes as one minute each. Where two parts have the same series (two owners of a partition for a
 * moment), the one with more samples stays: the other is behind. completeThroughMs is that of the slowest part.
 */
import type { LiveMinute } from '@minutely/schema/query-wire'
import { seriesKey } from '@minutely/schema/series-identity'

/** Oldest first. */
export function mergeParts(parts: readonly LiveMinute[]): LiveMinute[] {
  const byMinute = new Map<number, LiveMinute[]>()
  for (const part of parts) {
    const others = byMinute.get(part.minuteMs)
    if (others === undefined) byMinute.set(part.minuteMs, [part])
    else others.push(part)
  }
  return [...byMinute.values()].map(mergeMinute).sort((a, b) => a.minuteMs - b.minuteMs)
}

function mergeMinute(parts: readonly LiveMinute[]): LiveMinute {
  const [first] = parts as [LiveMinute]
  if (parts.length === 1) return first
  const series = new Map<string, LiveMinute['series'][number]>()
  for (const part of parts) {
    for (const one of part.series) {
      const key = seriesKey(one)
      if (one.count > (series.get(key)?.count ?? 0)) series.set(key, one)
    }
  }
  return {
    ...first,
    provisional: parts.some(({ provisional }) => provisional),
    completeThroughMs: Math.min(...parts.map(({ completeThroughMs }) => completeThroughMs)),
    series: [...series.values()],
  }
}
