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
  /** How many hosts are looked at, from the first. */
  readonly hosts: number
}

export interface FleetVerdict {
  readonly checkedMinutes: number
  /** One line each: which series and minute, what was expected, what was found. */
  readonly problems: readonly string[]
}

export async function checkFleet({ url, fleet, fromMs, toMs, hosts }: FleetCheck): Promise<FleetVerdict> {
  const problems: string[] = []
  let checkedMinutes = 0
  for (let host = 0; host < hosts; host++) {
    const serverId = fleet.serverId(host)
    const answer = await fetch(`${url}/v1/servers/${serverId}/series?from=${fromMs}&to=${toMs}&stepMs=60000`)
    const columns = (await answer.json()) as SeriesAnswer
    const found = new Map((columns.series ?? []).map((series) => [seriesKey(series), series]))
    for (const [metric, series] of fleet.series.entries()) {
      const stored = found.get(seriesKey(series))
      for (let minuteMs = fromMs; minuteMs < toMs; minuteMs += 60_000) {
        const slot = (minuteMs - columns.startMs) / 60_000
        const expected = minuteOf(fleet, { host, metric, minuteMs })
        const actual = [stored?.min?.[slot], stored?.max?.[slot], stored?.sum?.[slot], stored?.count?.[slot]]
        checkedMinutes++
        if (expected.some((value, index) => value !== actual[index])) {
          const at = new Date(minuteMs).toISOString()
          problems.push(`${serverId} ${series.metricId} ${at}: min, max, sum, count ${actual} instead of ${expected}`)
        }
      }
    }
  }
  return { checkedMinutes, problems }
}

/** min, max, sum, count of a minute in which every second was sent. Values are hundredths, so the sum is exact. */
function minuteOf(fleet: GeneratedFleet, at: { host: number; metric: number; minuteMs: number }): number[] {
  const values = Array.from({ length: 60 }, (_, second) =>
    fleet.value(at.host, at.metric, at.minuteMs / 1_000 + second),
  )
  const hundredths = values.reduce((sum, value) => sum + Math.round(value * 100), 0)
  return [Math.min(...values), Math.max(...values), hundredths / 100, values.length]
}
