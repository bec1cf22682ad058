/**
 * Prepares a plan's files, runs k6 on them and says what it measured. k6 stays on this machine: no usage report, no
 * extensions fetched, no cloud, no API of its own, and of our environment only PATH and HOME, so that no K6_* or proxy variable
 * changes where it goes. Durations in ms.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { batchHeaders } from './generated-fleet.ts'
import { cellMs, endMs, firstCellMs, type LoadPlan } from './load-plan.ts'
import type { ChunkIndex } from './prepared-bodies.ts'

/** As an agent's request. */
const timeoutMs = 15_000
/** After a batch was due; until then it is sent again as often as an agent would. */
const giveUpMs = 60_000
const phaseMsMax = 8_000
const quietly = ['--no-usage-report', '--quiet']
/** k6 has a line for each request that got no answer; that can be thousands, and their writing would be part of the load. */
const logLinesShown = 10

export interface K6Run {
  readonly k6: string
  readonly plan: LoadPlan
  readonly chunks: ChunkIndex
  readonly bodiesFile: string
  /** Without a path, e.g. http://127.0.0.1:7070. */
  readonly collectors: readonly string[]
  /** For its other files. */
  readonly folder: string
  /** Ends k6. */
  readonly signal?: AbortSignal
}

export interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

export interface K6Figures {
  readonly requests: number
  /** Of these, without the warm-up. */
  readonly requestsMeasured: number
  /** Of those, answered otherwise than 202 or not at all, whatever became of their batch. */
  readonly requestsNotAccepted: number
  readonly accepted: number
  readonly failed: number
  readonly sentAgain: number
  readonly samplesAccepted: number
  readonly samplesRejected: number
  /** By status; `none` is no answer in time. Without those that did not occur. */
  readonly answers: Readonly<Record<string, number>>
  /** From the first byte sent to the last received, of every request without the warm-up, whatever the answer. */
  readonly latencyMs: Quantiles
  /** How much later than due batches left: k6's own honesty. */
  readonly sentLateMs: Quantiles
}

export async function runK6({ k6, plan, chunks, bodiesFile, collectors, folder, signal }: K6Run): Promise<K6Figures> {
  const planFile = join(folder, 'plan.json')
  const summaryFile = join(folder, 'summary.json')
  const description = {
    bodiesFile,
    summaryFile,
    chunks,
    firstCellMs: firstCellMs(plan),
    warmUpCells: plan.warmUpCells,
    cellMs,
    workers: plan.workers,
    collectors: collectors.map((url) => `${url}/v1/samples`),
    headers: batchHeaders,
    timeoutMs,
    giveUpMs,
    durationMs: Math.max(0, endMs(plan) - Date.now()) + phaseMsMax + giveUpMs + timeoutMs,
  }
  writeFileSync(planFile, JSON.stringify(description))
  const logFile = join(folder, 'k6.log')
  const script = fileURLToPath(new URL('../k6/agents.js', import.meta.url))
  const child = spawn(
    k6,
    ['run', ...quietly, '--address', '', '--log-output', `file=${logFile}`, '--env', `PLAN=${planFile}`, script],
    {
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        K6_AUTO_EXTENSION_RESOLUTION: 'false',
        // Memory is not what is short: a fifth less garbage collection on the machine under test.
        GOGC: '200',
      },
      stdio: ['ignore', 'inherit', 'inherit'],
      ...(signal && { signal }),
    },
  )
  const [code] = (await once(child, 'exit')) as [number | null]
  for (const line of firstLines(logFile)) process.stderr.write(`k6: ${line}\n`)
  if (code !== 0) throw new Error(`k6 ended with exit code ${code}; what it wrote above says why`)
  return figuresOf(JSON.parse(readFileSync(summaryFile, 'utf8')))
}

function firstLines(file: string): string[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const messages = lines.filter((line) => line !== '').map((line) => /msg="(.*)"/.exec(line)?.[1] ?? line)
  const shown = messages.slice(0, logLinesShown)
  return messages.length > shown.length ? [...shown, `... and ${messages.length - shown.length} lines more`] : shown
}

/** What handleSummary is given; a metric that never got a value is not in it. */
type K6Metrics = Readonly<Record<string, { readonly values: Readonly<Record<string, number>> }>>

export function figuresOf(metrics: K6Metrics): K6Figures {
  const value = (name: string, statistic: string): number => {
    const metric = metrics[name]
    if (metric === undefined) return 0
    const found = metric.values[statistic]
    if (found !== undefined) return found
    throw new Error(`k6's summary has no ${statistic} of ${name}; k6 v1.8.1 has it, use that or a later one`)
  }
  const count = (name: string): number => value(name, 'count')
  const quantiles = (name: string): Quantiles => ({
    p50: value(name, 'med'),
    p95: value(name, 'p(95)'),
    p99: value(name, 'p(99)'),
    max: value(name, 'max'),
  })
  const kinds = ['202', '429', '503', 'none', 'other']
  return {
    requests: count('http_reqs'),
    requestsMeasured: count('request_ms'),
    requestsNotAccepted: count('requests_not_accepted'),
    accepted: count('batches_accepted'),
    failed: count('batches_failed'),
    sentAgain: count('batches_sent_again'),
    samplesAccepted: count('samples_accepted'),
    samplesRejected: count('samples_rejected'),
    answers: Object.fromEntries(
      kinds.map((kind) => [kind, count(`answers_${kind}`)] as const).filter(([, times]) => times > 0),
    ),
    latencyMs: quantiles('request_ms'),
    sentLateMs: quantiles('sent_late_ms'),
  }
}
