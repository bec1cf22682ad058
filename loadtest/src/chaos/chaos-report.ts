/** The result of a chaos run, as Markdown for people to keep. Pure. */
import type { LedgerTotals } from '../fleet/delivery-ledger.ts'
import type { FinalWatchReport } from '../fleet/final-watch.ts'
import type { FleetCheckResult } from '../fleet/fleet-checker.ts'
import type { CaughtUp } from './catch-up.ts'
import { count, spanOf, wordsOf } from './chaos-table.ts'
import { deeds, type Tally } from './tally.ts'

export interface ChaosResult {
  readonly form: string
  readonly seed: number
  readonly hosts: number
  readonly metrics: number
  readonly startedMs: number
  readonly loadMs: number
  readonly tally: Tally
  readonly totals: LedgerTotals
  readonly samplesPerBatch: number
  readonly check: FleetCheckResult | undefined
  readonly watch: FinalWatchReport
  readonly strangeHosts: number
  readonly caughtUp: readonly CaughtUp[]
  readonly problems: readonly string[]
}

export function chaosReport(result: ChaosResult): string {
  const { tally, totals, check, watch, problems } = result
  const rows: [string, string][] = [
    ['samples acknowledged', count(totals.acknowledged * result.samplesPerBatch)],
    ['samples found in minutes', check === undefined ? 'not checked' : count(check.samples)],
    ['series-minutes compared', check === undefined ? 'not checked' : count(check.seriesMinutes)],
    ['batches that nobody acknowledged', count(totals.unknown)],
    ['batches refused', count(totals.refused)],
    ['hosts with a wrong clock or a single sample, compared too', count(result.strangeHosts)],
    ['answers watched', `${count(watch.answers)}, of them without an answer ${count(watch.failures)}`],
    ['final series-minutes watched', count(watch.finalSeriesMinutes)],
    ['slowest to be complete', `${(watch.slowestLagMs / 1_000).toFixed(1)} s behind the wall clock`],
    ...result.caughtUp.map(caughtUpRow),
    ['seconds in which a collector refused or did not answer', count(totals.troubledSeconds)],
    ['seconds in which none took anything', count(totals.unavailableSeconds)],
    ...deeds.map((deed): [string, string] => [wordsOf(deed), count(tally.of(deed))]),
  ]
  const faults = Object.entries(tally.faults).map(([name, times]): [string, string] => [name, String(times)])
  return [
    `# Chaos: ${result.form}, seed ${result.seed}`,
    '',
    `${new Date(result.startedMs).toISOString()}, ${spanOf(result.loadMs)} min of load from ${result.hosts} hosts with ` +
      `${result.metrics} metrics each. ${problems.length === 0 ? '**Exact.**' : `**${problems.length} problems.**`}`,
    '',
    ...table(['what', 'how much'], rows),
    '',
    ...table(['fault', 'times'], faults),
    '',
    ...(problems.length === 0 ? [] : ['## Problems', '', ...problems.map((problem) => `- ${problem}`), '']),
  ].join('\n')
}

function caughtUpRow({ behindMs, tookMs, speed }: CaughtUp): [string, string] {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
  const what = `caught up after an outage, ${seconds(behindMs)} behind`
  return [what, `in ${seconds(tookMs)}: ${speed.toFixed(1)} log-minutes a minute`]
}

function table(head: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] {
  return [`| ${head[0]} | ${head[1]} |`, '|---|---|', ...rows.map(([left, right]) => `| ${left} | ${right} |`)]
}
