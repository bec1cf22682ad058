/**
 * What came of agents that returned with a backlog: how long their live batches took, how fast the rest was taken, and whether that
 * is within the limits. Pure; delays are ms from the instant a batch was due.
 */
import type { LedgerTotals } from './fleet/delivery-ledger.ts'

/** An agent's next batch is due then. */
export const liveDelayMsMax = 15_000

export interface Returned {
  readonly agents: number
  readonly backlogBatches: number
  /** From the first request until nothing of the backlog was left. */
  readonly drainedMs: number
  readonly liveDelaysMs: readonly number[]
  readonly totals: LedgerTotals
  /** Of the check, of readers, of processes. */
  readonly problems: readonly string[]
}

export function returnReport({ agents, backlogBatches, drainedMs, liveDelaysMs, totals }: Returned): string {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
  const tries = Object.entries(totals.failedTries).map(([reason, count]) => `${reason} ${count}`)
  const live = [0.5, 0.99, 1].map((share) => seconds(quantile(liveDelaysMs, share)))
  return [
    `agents     ${agents}, with ${backlogBatches} batches of before`,
    `backlog    taken in ${seconds(drainedMs)}, ${Math.round((1_000 * backlogBatches) / drainedMs)} batches a second`,
    `live       ${liveDelaysMs.length} batches, from due to acknowledged p50 ${live[0]}, p99 ${live[1]}, at most ${live[2]}`,
    `refusals   ${tries.length === 0 ? 'none' : tries.join(', ')}; none taken in ${totals.unavailableSeconds} s`,
  ].join('\n')
}

export function returnProblems({ liveDelaysMs, totals, problems }: Returned): readonly string[] {
  const delayMs = quantile(liveDelaysMs, 0.99)
  const isHeldUp = !(delayMs <= liveDelayMsMax)
  return [
    ...problems,
    ...(totals.unknown + totals.refused > 0 ? [`${totals.unknown + totals.refused} batches were not taken`] : []),
    ...(isHeldUp ? [`live batches took ${Math.round(delayMs)} ms (p99), ${liveDelayMsMax} ms may be`] : []),
  ]
}

/** NaN of nothing. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
