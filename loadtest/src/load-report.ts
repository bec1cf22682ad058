/**
 * The short report of a load test, and whether it passed. Pure. The limits are the promise made for 10,000 agents: nothing
 * fails, 99 of 100 requests are answered within a second, minutes are readable 15 s after they may close, and none is wrong.
 * Durations in ms unless they say s.
 */
import type { MinuteFreshness } from './freshness.ts'
import type { K6Figures } from './k6-run.ts'

export const limits = { requestP99MsMax: 1_000, freshnessMsMax: 15_000, sentLateP99MsMax: 1_000 }

export interface ProcessRow {
  readonly name: string
  readonly cpuS: number
  /** Undefined for what has ended. */
  readonly residentBytes: number | undefined
}

export interface LoadResult {
  readonly agents: number
  readonly metrics: number
  readonly minutes: number
  readonly warmUpMinutes: number
  readonly targets: string
  readonly expected: { readonly batches: number; readonly samples: number }
  readonly k6: K6Figures
  readonly freshness: readonly MinuteFreshness[]
  readonly readLatenciesMs: readonly number[]
  readonly sampledAgents: number
  readonly checkedMinutes: number
  /** Wrong at the end, one line each. */
  readonly problems: readonly string[]
  readonly processes: readonly ProcessRow[]
  /** Over which the processes were measured, s. */
  readonly measuredS: number
  readonly cores: number
}

export interface LoadReport {
  readonly text: string
  /** Why it did not pass; empty when it did. */
  readonly failures: readonly string[]
}

export function loadReport(result: LoadResult): LoadReport {
  const failures = failuresOf(result)
  const { agents, metrics, minutes, warmUpMinutes, targets, cores } = result
  const text = `## Load test: ${failures.length === 0 ? 'passed' : 'FAILED'}

${thousands(agents)} agents x ${metrics} metrics x 1/s for ${minutes} min against ${targets}, ${cores} cores,
after ${warmUpMinutes} min in which the agents joined (in the counts and CPU time, not in the latencies)

| | | limit |
|---|--:|--:|
${figureRows(result)
  .map((cells) => `| ${cells.join(' | ')} |`)
  .join('\n')}

| process | CPU-s | of the machine | memory MB |
|---|--:|--:|--:|
${processRows(result).join('\n')}
`
  const reasons = failures.map((failure) => `- ${failure}`)
  return { text: reasons.length === 0 ? text : `${text}\n${reasons.join('\n')}\n`, failures }
}

function figureRows({ k6, expected, freshness, ...result }: LoadResult): string[][] {
  const { latencyMs, sentLateMs } = k6
  const delays = delaysOf(freshness)
  const answers = Object.entries(k6.answers).map(([kind, times]) => `${thousands(times)} x ${kind}`)
  const unsent = expected.batches - k6.accepted - k6.failed
  const unreadable = freshness.reduce((sum, minute) => sum + minute.unreadable.length, 0)
  return [
    ['requests', thousands(k6.requests), ''],
    ['requests a second, average without warm-up', (k6.requestsMeasured / (result.minutes * 60)).toFixed(0), ''],
    ['requests not answered 202, without warm-up', thousands(k6.requestsNotAccepted), '0'],
    ['batches accepted', thousands(k6.accepted), thousands(expected.batches)],
    ['batches failed', thousands(k6.failed), '0'],
    ['batches not sent (dropped iterations)', thousands(unsent), '0'],
    ['sent again', thousands(k6.sentAgain), ''],
    ['answers', answers.join(', '), ''],
    ['samples accepted', thousands(k6.samplesAccepted), thousands(expected.samples)],
    ['samples rejected', thousands(k6.samplesRejected), '0'],
    ['request p50 / p95 / p99 / max, ms', four(latencyMs), `p99 ${limits.requestP99MsMax}`],
    ['sent later than due, p50 / p95 / p99 / max, ms', four(sentLateMs), `p99 ${limits.sentLateP99MsMax}`],
    [
      'minute readable after end + lateness, p50 / p99 / max, s',
      [0.5, 0.99, 1].map((q) => seconds(quantile(delays, q))).join(' / '),
      `max ${limits.freshnessMsMax / 1_000}`,
    ],
    [`minutes of ${result.sampledAgents} agents not readable in time`, thousands(unreadable), '0'],
    [`series-minutes wrong of ${thousands(result.checkedMinutes)}`, thousands(result.problems.length), '0'],
    ['read p50 / p99, ms', [0.5, 0.99].map((q) => quantile(result.readLatenciesMs, q).toFixed(0)).join(' / '), ''],
  ]
}

function processRows({ processes, measuredS, cores }: LoadResult): string[] {
  const row = (name: string, cpuS: number, memory: string): string =>
    `| ${name} | ${cpuS.toFixed(1)} | ${((100 * cpuS) / (measuredS * cores)).toFixed(0)} % | ${memory} |`
  const total = processes.reduce((sum, { cpuS }) => sum + cpuS, 0)
  return [
    ...processes.map(({ name, cpuS, residentBytes }) =>
      row(name, cpuS, residentBytes === undefined ? '' : (residentBytes / 1e6).toFixed(0)),
    ),
    row(`all of these, in ${measuredS.toFixed(0)} s`, total, ''),
  ]
}

function failuresOf({ k6, expected, freshness, problems }: LoadResult): string[] {
  const slowestMs = Math.max(0, ...delaysOf(freshness))
  const unreadable = freshness.flatMap((minute) => minute.unreadable)
  const unsent = expected.batches - k6.accepted - k6.failed
  const first = (lines: readonly string[]): string => lines[0]?.slice(0, 300) ?? ''
  const checks: [boolean, string][] = [
    [k6.requestsNotAccepted > 0, `${k6.requestsNotAccepted} requests were answered otherwise than 202, or not at all`],
    [k6.failed > 0, `${k6.failed} batches were never accepted`],
    [unsent !== 0, `${unsent} batches were not sent, or not answered before the end`],
    [k6.samplesRejected > 0, `${k6.samplesRejected} samples were rejected`],
    [k6.samplesAccepted < expected.samples, `${expected.samples - k6.samplesAccepted} samples were not accepted`],
    [k6.latencyMs.p99 >= limits.requestP99MsMax, `p99 of requests is ${k6.latencyMs.p99.toFixed(0)} ms`],
    [
      k6.sentLateMs.p99 >= limits.sentLateP99MsMax,
      `k6 sent late (p99 ${k6.sentLateMs.p99.toFixed(0)} ms): the load was not what it should be`,
    ],
    [slowestMs > limits.freshnessMsMax, `a minute was readable only ${seconds(slowestMs)} s after end + lateness`],
    [
      unreadable.length > 0,
      `${unreadable.length} minutes of an agent were not readable in time, the first: ${first(unreadable)}`,
    ],
    [problems.length > 0, `${problems.length} series-minutes are wrong, the first: ${first(problems)}`],
  ]
  return checks.filter(([failed]) => failed).map(([, text]) => text)
}

function delaysOf(freshness: readonly MinuteFreshness[]): number[] {
  return freshness.flatMap(({ delaysMs }) => delaysMs)
}

/** Nearest rank; 0 of nothing. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0
}

function four({ p50, p95, p99, max }: K6Figures['latencyMs']): string {
  return [p50, p95, p99, max].map((value) => value.toFixed(0)).join(' / ')
}

function seconds(durationMs: number): string {
  return (durationMs / 1_000).toFixed(1)
}

function thousands(value: number): string {
  return value.toLocaleString('en')
}
