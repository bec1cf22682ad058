/** Compares stored minutes with what a generated fleet sent: min, max, sum and count of every series-minute, exactly. */
import type { SeriesAnswer } from '@minutely/schema/query-wire'
import { seriesKey } from '@minutely/schema/series-identity'
import type { GeneratedFleet } from './generated-fleet.ts'

export interface FleetCheck {
  readonly url: string
  readonly fleet: GeneratedFleet
  /** Whole minutes, ms; half-open. */
  readonly fromMs: number
  readonly toMs: number
  /** Which are looked at. */
  readonly hosts: readonly number[]
}

export interface FleetVerdict {
  readonly checkedMinutes: number
  /** One line each: which series and minute, what was expected, what was found. */
  readonly problems: readonly string[]
}

export async function checkFleet({ url, fleet, fromMs, toMs, hosts }: FleetCheck): Promise<FleetVerdict> {
  const problems: string[] = []
  let checkedMinutes = 0
  for (const host of hosts) {
    const serverId = fleet.serverId(host)
    const answer = await fetch(`${url}/v1/servers/${serverId}/series?from=${fromMs}&to=${toMs}&stepMs=60000`)
    const columns = (await answer.json()) as Partial<SeriesAnswer>
    for (let minuteMs = fromMs; minuteMs < toMs; minuteMs += 60_000) {
      problems.push(...minuteProblems(columns, { fleet, host, minuteMs }))
      checkedMinutes += fleet.series.length
    }
  }
  return { checkedMinutes, problems }
}

/** What an answer with steps of a minute has wrong about one minute of one host, one line a series. */
export function minuteProblems(
  answer: Partial<SeriesAnswer>,
  { fleet, host, minuteMs }: { fleet: GeneratedFleet; host: number; minuteMs: number },
): string[] {
  const found = new Map((answer.series ?? []).map((series) => [seriesKey(series), series]))
  const slot = (minuteMs - (answer.startMs ?? 0)) / 60_000
  return fleet.series.flatMap((series, metric) => {
    const stored = found.get(seriesKey(series))
    const expected = minuteOf(fleet, { host, metric, minuteMs })
    const actual = [stored?.min?.[slot], stored?.max?.[slot], stored?.sum?.[slot], stored?.count?.[slot]]
    if (expected.every((value, index) => value === actual[index])) return []
    const at = new Date(minuteMs).toISOString()
    const name = `${fleet.serverId(host)} ${series.metricId} ${at}`
    return [`${name}: min, max, sum, count ${actual} instead of ${expected}`]
  })
}

/** min, max, sum, count of a minute in which every second was sent. Values are hundredths, so the sum is exact. */
export function minuteOf(fleet: GeneratedFleet, at: { host: number; metric: number; minuteMs: number }): number[] {
  const values = Array.from({ length: 60 }, (_, second) =>
    fleet.value(at.host, at.metric, at.minuteMs / 1_000 + second),
  )
  const hundredths = values.reduce((sum, value) => sum + Math.round(value * 100), 0)
  return [Math.min(...values), Math.max(...values), hundredths / 100, values.length]
}
