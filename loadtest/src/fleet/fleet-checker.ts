/**
 * The exact check of a whole run, read through the query APIs in turn: for every host, series and minute, acknowledged ⊆
 * seen ⊆ attempted, and min, max, sum and count are those of the seen set. Nothing but the fleet's own series may be there.
 *
 * Late parts may still be on their way when the last minute is closed, so what is wrong is looked at again until it is
 * right or the deadline is over: what is merely late gets right, what is lost or doubled never does. What is past the retention may
 * be gone.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { describeSeries, seriesKey } from '@minutely/schema/series-identity'
import type { GeneratedFleet } from '../generated-fleet.ts'
import { cellCountOf, type DeliveryLedger, minuteMs } from './delivery-ledger.ts'
import { isForgotten } from './forgotten-hours.ts'
import { minuteProblem } from './minute-verdict.ts'
import { type MinutesRead, readMinutes } from './minutes-read.ts'

export interface FleetCheckPlan {
  readonly fleet: GeneratedFleet
  readonly ledger: DeliveryLedger
  /** Of the run's first and behind its last sample, ms since the epoch. */
  readonly startMs: number
  readonly endMs: number
  /** What the aggregators run with; nothing is forgotten unless given. */
  readonly retentionHours?: number | undefined
  /** Of the whole check, from its begin. */
  readonly deadlineMs: number
  readonly queryUrls: () => readonly string[]
  /** Ends it early, with what is wrong then. */
  readonly signal?: AbortSignal
}

export interface FleetCheckResult {
  readonly seriesMinutes: number
  /** Of minutes that retention must keep. */
  readonly samples: number
  /** Acknowledged batches of other minutes, which may be gone. */
  readonly forgottenBatches: number
  /** One line each, naming host, series, minute and the first wrong second. */
  readonly problems: readonly string[]
}

const retryMs = 500
const linesMax = 20

/** Values of one series in one minute. */
export function valuesOf(fleet: GeneratedFleet, at: { host: number; metric: number; minute: number }): Float64Array {
  return Float64Array.from({ length: 60 }, (_, second) => fleet.value(at.host, at.metric, at.minute / 1_000 + second))
}

export async function checkFleetExactly(plan: FleetCheckPlan): Promise<FleetCheckResult> {
  const giveUpAtMs = Date.now() + plan.deadlineMs
  const result = { seriesMinutes: 0, samples: 0, forgottenBatches: 0, problems: [] as string[] }
  for (let host = 0; host < plan.fleet.shape.hostCount; host++) {
    for (let turn = host; ; turn++) {
      const urls = plan.queryUrls()
      const found = await checkHost(plan, { host, url: urls[turn % urls.length] ?? '' })
      const isLast = Date.now() > giveUpAtMs || plan.signal?.aborted
      if (found.problems.length > 0 && !isLast) {
        await delay(retryMs)
        continue
      }
      result.seriesMinutes += found.seriesMinutes
      result.samples += found.samples
      result.forgottenBatches += found.forgottenBatches
      result.problems.push(...found.problems.slice(0, linesMax - result.problems.length))
      break
    }
  }
  return result
}

interface HostTurn {
  readonly host: number
  readonly url: string
}

async function checkHost(plan: FleetCheckPlan, { host, url }: HostTurn): Promise<FleetCheckResult> {
  const serverId = plan.fleet.serverId(host)
  const fromMs = Math.floor(plan.startMs / minuteMs) * minuteMs
  const toMs = Math.ceil(plan.endMs / minuteMs) * minuteMs
  try {
    const read = await readMinutes(url, { serverId, fromMs, toMs })
    if (read === undefined) return failed(`${serverId}: is not known to ${url}`)
    if (read.answer.completeThroughMs < toMs) {
      return failed(`${serverId}: ${url} is complete through ${at(read.answer.completeThroughMs)} only`)
    }
    return judgeHost(plan, { host, read, fromMs, toMs })
  } catch (error) {
    return failed(`${serverId}: ${(error as Error).message}`)
  }
}

function judgeHost(
  { fleet, ledger, retentionHours }: FleetCheckPlan,
  { host, read, fromMs, toMs }: { host: number; read: MinutesRead; fromMs: number; toMs: number },
): FleetCheckResult {
  const known = new Set(fleet.series.map(seriesKey))
  const problems = [...read.seriesKeys]
    .filter((key) => !known.has(key))
    .map((key) => `${fleet.serverId(host)} has a series that was never sent: ${key.replaceAll('\u0001', ' ')}`)
  let [seriesMinutes, samples, forgottenBatches] = [0, 0, 0]
  const nowMs = Date.now()
  for (let minute = fromMs; minute < toMs; minute += minuteMs) {
    const acknowledged = ledger.acknowledgedCells(host, minute, { beforeMs: Number.POSITIVE_INFINITY })
    const mayBeGone = isForgotten(minute, nowMs, retentionHours)
    if (mayBeGone) forgottenBatches += cellCountOf(acknowledged)
    const must = mayBeGone ? 0 : acknowledged
    const may = ledger.attemptedCells(host, minute, { beforeMs: Number.POSITIVE_INFINITY })
    for (const [metric, series] of fleet.series.entries()) {
      const found = read.minute(seriesKey(series), minute)
      const problem = minuteProblem({
        minuteMs: minute,
        values: valuesOf(fleet, { host, metric, minute }),
        must,
        may,
        found,
      })
      if (problem !== null)
        problems.push(`${fleet.serverId(host)} ${describeSeries(series)}, ${at(minute)}: ${problem}`)
      seriesMinutes++
      if (!mayBeGone) samples += found?.count ?? 0
    }
  }
  return { seriesMinutes, samples, forgottenBatches, problems }
}

function failed(problem: string): FleetCheckResult {
  return { seriesMinutes: 0, samples: 0, forgottenBatches: 0, problems: [problem] }
}

function at(instantMs: number): string {
  return new Date(instantMs).toISOString().replace('.000Z', 'Z')
}
