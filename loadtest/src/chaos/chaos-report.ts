/** The result of a chaos run, as Markdown for people to keep. Pure. */
import type { LedgerTotals } from '../fleet/delivery-ledger.ts'
import type { FinalWatchReport } from '../fleet/final-watch.ts'
import type { FleetCheckResult } from '../fleet/fleet-checker.ts'
import type { CaughtUp } from './catch-up.ts'
import { count, spanOf, wordsOf } from './chaos-table.ts'
import type { Sealings } from './sealed-hours.ts'
import { type Deed, deeds, type Tally } from './tally.ts'

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
  readonly sealings: Sealings | undefined
  readonly watch: FinalWatchReport
  readonly strangeHosts: number
  readonly caughtUp: readonly CaughtUp[]
  readonly problems: readonly string[]
}

/** What it takes to run it again. */
export interface ReportHead {
  /** Undefined outside a git clone. */
  readonly commit: string | undefined
  readonly command: string
  readonly nodeVersion: string
  readonly cores: number
}

/** Of services that the embedded form has not. */
const distributedDeeds: readonly Deed[] = ['stops', 'pauses', 'outages', 'flushes', 'rewinds']

export function chaosReport(result: ChaosResult, head: ReportHead): string {
  const { tally, totals, check, sealings, watch, problems } = result
  const shownDeeds = deeds.filter((deed) => result.form !== 'embedded' || !distributedDeeds.includes(deed))
  const rows: [string, string][] = [
    ['samples acknowledged', count(totals.acknowledged * result.samplesPerBatch)],
    ['samples found in minutes', check === undefined ? 'not checked' : count(check.samples)],
    ['series-minutes compared', check === undefined ? 'not checked' : count(check.seriesMinutes)],
    ['acknowledged batches past the retention', check === undefined ? 'not checked' : count(check.forgottenBatches)],
    [
      'hours sealed, and sealed again with late data',
      `${count(sealings?.sealed ?? 0)}, ${count(sealings?.resealed ?? 0)}`,
    ],
    ['hours dropped by retention', count(sealings?.dropped ?? 0)],
    ['batches that nobody acknowledged', count(totals.unknown)],
    ['batches refused', count(totals.refused)],
    ['hosts with a wrong clock or a single sample, compared too', count(result.strangeHosts)],
    [
      'readers asked',
      `${count(watch.answers + watch.failures)} times: ${count(watch.answers)} answered, ${count(watch.failures)} while a query API was down`,
    ],
    ['final series-minutes judged (promise 4)', count(watch.finalSeriesMinutes)],
    ['slowest to be complete', `${(watch.slowestLagMs / 1_000).toFixed(1)} s behind the wall clock`],
    ...result.caughtUp.map(caughtUpRow),
    ['seconds in which a collector refused or did not answer', count(totals.troubledSeconds)],
    ['seconds in which none took anything', count(totals.unavailableSeconds)],
    ...shownDeeds.map((deed): [string, string] => [wordsOf(deed), count(tally.of(deed))]),
  ]
  const isExact = check !== undefined && problems.length === 0
  const found = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`
  const verdict = isExact ? 'Exact.' : check === undefined ? `Not finished, ${found}.` : `${found}.`
  const faults = Object.entries(tally.faults).map(([name, times]): [string, string] => [name, String(times)])
  return [
    `# Chaos: ${result.form}, seed ${result.seed}`,
    '',
    `${new Date(result.startedMs).toISOString()}, ${spanOf(result.loadMs)} min of load from ${result.hosts} hosts with ` +
      `${result.metrics} metrics each. **${verdict}**`,
    '',
    `\`${head.command}\` at commit ${head.commit ?? 'unknown'}, Node ${head.nodeVersion}, ${head.cores} cores.`,
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
