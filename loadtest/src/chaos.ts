/** `npm run chaos`: Minutely as real processes, broken for some minutes, and every minute compared; see chaos/chaos-options.ts. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runServices, type Service } from '@minutely/lib/lifecycle'
import { createLogger } from '@minutely/lib/logging'
import { type ChaosOptions, readChaosCommand, usage } from './chaos/chaos-options.ts'
import { chaosReport } from './chaos/chaos-report.ts'
import { ChaosRun } from './chaos/chaos-run.ts'
import { chaosTable } from './chaos/chaos-table.ts'
import { verdictOf } from './chaos/chaos-verdict.ts'
import type { ChaosWorld } from './chaos/chaos-world.ts'
import { DistributedWorld } from './chaos/distributed-world.ts'
import { EmbeddedWorld } from './chaos/embedded-world.ts'
import type { FaultKind } from './chaos/fault-kind.ts'
import { distributedKinds, embeddedKinds, listed, only } from './chaos/fault-kinds.ts'
import { LiveTable } from './chaos/live-table.ts'
import { assertWritable, reportHead } from './chaos/report-file.ts'
import { Tally } from './chaos/tally.ts'

const stopTimeoutMs = 60_000

const options = optionsOrExit()
const embeddedOnes = orExit(() => only(embeddedKinds, options.isEmbedded ? options.only : undefined))
const distributedOnes = orExit(() => only(distributedKinds, options.isEmbedded ? undefined : options.only))
orExit(() => options.report !== undefined && assertWritable(options.report))
const folder = options.logs === undefined ? await mkdtemp(join(tmpdir(), 'minutely-chaos-')) : resolve(options.logs)
await mkdir(folder, { recursive: true })
const tally = new Tally()
let isOver = false
let reportFailure: string | undefined
const table = new LiveTable(() => chaosTable(run.state()), process.stdout)
const deps = { tally, say: table.say }
const run: Runnable = options.isEmbedded
  ? runOf('embedded', { kinds: embeddedOnes, world: new EmbeddedWorld({ folder }, deps) })
  : runOf('distributed', { kinds: distributedOnes, world: new DistributedWorld({ ...options, folder }, deps) })

const show: Service = {
  name: 'chaos',
  start: async () => {
    table.say(`seed ${options.seed}, ${options.minutes} min; logs and data in ${folder}`)
    await run.start()
    table.start()
    void play().finally(() => {
      isOver = true
      process.kill(process.pid, 'SIGTERM')
    })
  },
  // Before the end is announced: what still runs then is cut.
  stop: async () => {
    // As it was, not with all of it down.
    table.stop()
    await run.stop()
    if (options.report !== undefined) await writeReport(options.report)
    if (run.isJudged && run.problems.length === 0 && options.logs === undefined)
      await rm(folder, { recursive: true, force: true })
  },
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, sayStopping)

type Runnable = Pick<
  ChaosRun<ChaosWorld>,
  'start' | 'abandonStart' | 'play' | 'stop' | 'state' | 'result' | 'problems' | 'isJudged'
>

function runOf<World extends ChaosWorld>(
  form: string,
  { kinds, world }: { kinds: readonly FaultKind<World>[]; world: World },
): Runnable {
  const { seed, hosts, metrics, minutes, outageMs } = options
  return new ChaosRun({ form, kinds, seed, hosts, metrics, outageMs, loadMs: minutes * 60_000 }, { ...deps, world })
}

async function play(): Promise<void> {
  await run.play()
  const { check, caughtUp } = run.result()
  for (const { behindMs, tookMs, speed } of caughtUp)
    table.say(
      `caught up ${Math.round(behindMs / 1_000)} s in ${(tookMs / 1_000).toFixed(1)} s: ${speed.toFixed(1)} log-minutes a minute`,
    )
  if (check !== undefined)
    table.say(
      `compared ${check.seriesMinutes.toLocaleString('en')} series-minutes, ${check.samples.toLocaleString('en')} samples`,
    )
}

const log = createLogger({ level: 'warn', format: 'auto' })
const exitCode = await runServices([show], { log, explain: table.say, stopTimeoutMs })
const { problems, isJudged } = run
for (const problem of problems) table.say(`WRONG    ${problem}`)
const { faultCount } = tally
const hasStopped = exitCode === 0
const end = { isJudged, hasStopped, problems, faultCount, seed: options.seed, folder, reportFailure }
const verdict = verdictOf(end)
table.say(verdict.line)
process.exitCode = verdict.exitCode

/** At once, and once: the stop itself takes a while. */
function sayStopping(): void {
  if (isOver) return
  isOver = true
  const waits = run.abandonStart()
  table.say(`stopping${waits.length === 0 ? '' : `; waiting for ${waits.join(', ')} to end`}`)
}

async function writeReport(file: string): Promise<void> {
  try {
    await writeFile(file, chaosReport(run.result(), reportHead(process.argv.slice(2))))
  } catch (error) {
    reportFailure = (error as Error).message
  }
}

function optionsOrExit(): ChaosOptions {
  const command = orExit(() => readChaosCommand(process.argv.slice(2), { nowMs: Date.now() }))
  if (command.kind === 'run') return command.options
  const isEmbedded = command.kind === 'list' && command.isEmbedded
  const kinds = isEmbedded
    ? `${listed(embeddedKinds)}\n\nThose of the distributed form: npm run chaos -- --list`
    : `${listed(distributedKinds)}\n\nThose of the embedded form: npm run chaos -- --embedded --list`
  process.stdout.write(`${command.kind === 'help' ? usage : kinds}\n`)
  return process.exit(0)
}

function orExit<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return process.exit(2)
  }
}
