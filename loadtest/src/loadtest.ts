/**
 * `npm run loadtest`: a fleet of agents against a running Minutely, or one started for the test. k6 generates the load
 * (k6/agents.js), this process reads minutes back beside it, and a short report says whether the limits of load-report.ts held;
 * exit code 0 or 1. Everything takes real time; the run starts at the next whole minute that leaves time to prepare.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { checkFleet } from './check-fleet.ts'
import { FreshnessReader, type MinuteFreshness } from './freshness.ts'
import { GeneratedFleet } from './generated-fleet.ts'
import { findOrInstallK6 } from './k6-binary.ts'
import { runK6 } from './k6-run.ts'
import {
  cellMs,
  cellsPerMinute,
  endMs,
  expectedTotals,
  firstCellMs,
  firstMinuteMs,
  type LoadPlan,
  sampleOf,
} from './load-plan.ts'
import { loadReport, type ProcessRow } from './load-report.ts'
import { type LoadtestOptions, loadtestUsage, readLoadtestOptions } from './loadtest-options.ts'
import { writeBodies } from './prepared-bodies.ts'
import { endedChildrenCpuS, machineCpuS } from './process-cost.ts'
import { type NamedProcess, ProcessGroups } from './process-groups.ts'
import { startDistributed } from './start-distributed.ts'
import { startEmbedded } from './start-embedded.ts'

/** Virtual users of k6, a few MB each; a batch does not wait for another's answer, so more would send no more. */
const workers = 16
/** Making a value's share of a body: measured 0.0006 on an idle core, and the servers run beside it. */
const prepareMsPerValue = 0.002
/** Until k6 is ready to send; measured below 1 s. */
const startUpMs = 5_000
const readableGiveUpMs = 90_000

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const options = optionsOrExit()
const folder = await mkdtemp(join(tmpdir(), 'minutely-loadtest-'))
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
try {
  process.exitCode = await run(options)
} catch (error) {
  process.stderr.write(`The load test could not be run: ${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
// Readers may still wait for minutes of a run that was ended.
process.exit()

async function run({ agents, metrics, minutes, warmUpMinutes, ...rest }: LoadtestOptions): Promise<0 | 1> {
  const k6 = await findOrInstallK6(say)
  const target = await startTarget(rest)
  try {
    const { collectors, queries } = target
    await assertReady([...new Set([...collectors, ...queries])])
    const fleet = new GeneratedFleet({ hostCount: agents, metricCount: metrics, seed: 1 })
    const plan = await prepare({
      fleet,
      cellCount: minutes * cellsPerMinute,
      warmUpCells: warmUpMinutes * cellsPerMinute,
      workers,
    })
    const pids = [...target.processes, ...rest.pids]
    const result = await measure({ k6, plan, collectors, queries, pids, options: { ...rest, minutes } })
    const { text, failures } = loadReport({
      ...result,
      agents,
      metrics,
      minutes,
      warmUpMinutes,
      targets: `${collectors.length} collectors, ${queries.length} query APIs (${target.form})`,
    })
    say(`\n${text}`)
    if (rest.report !== undefined) await writeFile(rest.report, text)
    return failures.length === 0 ? 0 : 1
  } finally {
    await target.stop()
  }
}

interface Target {
  readonly form: string
  readonly collectors: readonly string[]
  readonly queries: readonly string[]
  readonly processes: readonly NamedProcess[]
  stop(): Promise<void>
}

async function startTarget({ collectors, queries, isDistributed }: Partial<LoadtestOptions>): Promise<Target> {
  if (collectors !== undefined) {
    return { form: 'given', collectors, queries: queries ?? collectors, processes: [], stop: async () => {} }
  }
  if (isDistributed === true) return { form: 'the distributed form', ...(await startDistributed(folder, say)) }
  const { url, pid, stop } = await startEmbedded(join(folder, 'data'))
  const processes = [{ name: 'minutely, embedded', pid }]
  return { form: 'one embedded process', collectors: [url], queries: [url], processes, stop }
}

/** Waits for the servers rather than sending a fleet against what is still starting. */
async function assertReady(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(10_000) }).catch((error: Error) => {
      throw new Error(
        `${url}/readyz cannot be reached: ${(error.cause as Error | undefined)?.message ?? error.message}`,
      )
    })
    if (!answer.ok) throw new Error(`${url}/readyz answered ${answer.status}: ${(await answer.text()).slice(0, 500)}`)
    await answer.body?.cancel()
  }
}

interface PreparedPlan extends LoadPlan {
  readonly bodiesFile: string
  readonly chunks: ReturnType<typeof writeBodies>
}

async function prepare({ fleet, ...shape }: Omit<LoadPlan, 'startMs'>): Promise<PreparedPlan> {
  const { batches, samples } = expectedTotals({ fleet, ...shape, startMs: 0 })
  const startedMs = Date.now()
  const warmUpMs = shape.warmUpCells * cellMs
  const startMs = firstMinuteMs(startedMs, { leadMs: samples * prepareMsPerValue + startUpMs }) + warmUpMs
  const plan = { fleet, ...shape, startMs }
  const bodiesFile = join(folder, 'bodies.bin')
  say(`preparing ${batches.toLocaleString('en')} bodies, ${samples.toLocaleString('en')} samples`)
  const chunks = writeBodies(bodiesFile, plan)
  const megabytes = (await stat(bodiesFile)).size / 1e6
  const tookS = (Date.now() - startedMs) / 1_000
  // The first batch is due a cell later; a little of the first cell may be lost, not more.
  if (Date.now() > firstCellMs(plan) + startUpMs)
    throw new Error(`preparing took ${tookS.toFixed(0)} s, longer than expected; run it again on a less busy machine`)
  say(
    `${megabytes.toFixed(0)} MB in ${tookS.toFixed(0)} s; from ${new Date(firstCellMs(plan)).toISOString()} to ${new Date(endMs(plan)).toISOString()}`,
  )
  return { ...plan, bodiesFile, chunks }
}

interface Measurement {
  readonly k6: string
  readonly plan: PreparedPlan
  readonly collectors: readonly string[]
  readonly queries: readonly string[]
  readonly pids: LoadtestOptions['pids']
  readonly options: Pick<LoadtestOptions, 'minutes' | 'sampleAgents' | 'latenessMs'>
}

async function measure({ k6, plan, collectors, queries, pids, options }: Measurement) {
  const { fleet, startMs } = plan
  const sample = sampleOf(fleet.shape.hostCount, { size: options.sampleAgents })
  const { latenessMs } = options
  const reader = new FreshnessReader({ queries, fleet, agents: sample, latenessMs, giveUpMs: readableGiveUpMs })
  const minutes = Array.from({ length: options.minutes }, (_, index) => startMs + index * 60_000)
  // The first batch is due 15 s later: time enough for k6 to start, and no idle time in what is measured.
  await delay(Math.max(0, firstCellMs(plan) - Date.now()), undefined, { signal: stopping.signal })
  const processes = new ProcessGroups(pids)
  const [measuredFromMs, childrenBeforeS, machineBeforeS] = [performance.now(), endedChildrenCpuS(), machineCpuS()]
  const own = process.cpuUsage()
  const running = runK6({
    k6,
    plan,
    chunks: plan.chunks,
    bodiesFile: plan.bodiesFile,
    collectors,
    folder,
    signal: stopping.signal,
  })
  const watching = minutes.map(async (minuteMs) => {
    const seen = await reader.watch(minuteMs)
    say(minuteLine(seen, sample.length))
    return seen
  })
  const figures = await running
  const k6CpuS = endedChildrenCpuS() - childrenBeforeS
  const freshness = await Promise.all(watching)
  const { user, system } = process.cpuUsage(own)
  const rows: ProcessRow[] = [
    ...processes.since(),
    { name: 'k6', cpuS: k6CpuS, residentBytes: undefined },
    { name: 'this checker', cpuS: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() },
  ]
  const knownS = rows.reduce((sum, { cpuS }) => sum + cpuS, 0)
  const otherS = machineCpuS() - machineBeforeS - knownS
  rows.push({ name: 'everything else on this machine', cpuS: Math.max(0, otherS), residentBytes: undefined })
  const measuredS = (performance.now() - measuredFromMs) / 1_000
  return {
    expected: expectedTotals(plan),
    k6: figures,
    freshness,
    readLatenciesMs: reader.latenciesMs,
    sampledAgents: sample.length,
    ...(await checkEverywhere(queries, plan, sample)),
    processes: rows,
    measuredS,
    cores: availableParallelism(),
  }
}

/** Every minute of the sampled agents, from each query API. */
async function checkEverywhere(queries: readonly string[], plan: LoadPlan, hosts: readonly number[]) {
  const verdicts = []
  for (const url of queries) {
    verdicts.push(await checkFleet({ url, fleet: plan.fleet, fromMs: plan.startMs, toMs: endMs(plan), hosts }))
  }
  return {
    checkedMinutes: verdicts.reduce((sum, { checkedMinutes }) => sum + checkedMinutes, 0),
    problems: verdicts.flatMap(({ problems }) => problems),
  }
}

function minuteLine({ minuteMs, delaysMs, unreadable }: MinuteFreshness, agents: number): string {
  const at = new Date(minuteMs).toISOString().slice(11, 16)
  const slowestS = (Math.max(...delaysMs) / 1_000).toFixed(1)
  if (unreadable.length === 0) return `minute ${at}: readable for ${agents} agents ${slowestS} s after end + lateness`
  return `minute ${at}: not readable in time for ${unreadable.length} of ${agents} agents; ${unreadable[0]}`
}

function optionsOrExit(): LoadtestOptions {
  try {
    const read = readLoadtestOptions(process.argv.slice(2))
    if (read !== 'help') return read
    say(loadtestUsage)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${loadtestUsage}\n`)
    return process.exit(2)
  }
}
