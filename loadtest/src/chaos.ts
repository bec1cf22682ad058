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
import type { ChaosWorld } from './chaos/chaos-world.ts'
import { DistributedWorld } from './chaos/distributed-world.ts'
import { EmbeddedWorld } from './chaos/embedded-world.ts'
import type { FaultKind } from './chaos/fault-kind.ts'
import { distributedKinds, embeddedKinds, listed, only } from './chaos/fault-kinds.ts'
import { LiveTable } from './chaos/live-table.ts'
import { Tally } from './chaos/tally.ts'

const stopTimeoutMs = 60_000

const options = optionsOrExit()
const folder = options.logs === undefined ? await mkdtemp(join(tmpdir(), 'minutely-chaos-')) : resolve(options.logs)
await mkdir(folder, { recursive: true })
const tally = new Tally()
const table = new LiveTable(() => chaosTable(run.state()), process.stdout)
const deps = { tally, say: table.say }
const run: Runnable = options.isEmbedded
  ? runOf('embedded', { kinds: embeddedKinds, world: new EmbeddedWorld({ folder }, deps) })
  : runOf('distributed', { kinds: distributedKinds, world: new DistributedWorld({ ...options, folder }, deps) })

const show: Service = {
  name: 'chaos',
  start: async () => {
    table.say(`seed ${options.seed}, ${options.minutes} min; logs and data in ${folder}`)
    await run.start()
    table.start()
    void play().finally(() => process.kill(process.pid, 'SIGTERM'))
  },
  // Before the end is announced: what still runs then is cut.
  stop: async () => {
    await run.stop()
    table.stop()
    if (options.report !== undefined) await writeFile(options.report, chaosReport(run.result()))
    if (run.isJudged && run.problems.length === 0 && options.logs === undefined)
      await rm(folder, { recursive: true, force: true })
  },
}

type Runnable = Pick<ChaosRun<ChaosWorld>, 'start' | 'play' | 'stop' | 'state' | 'result' | 'problems' | 'isJudged'>

function runOf<World extends ChaosWorld>(
  form: string,
  { kinds, world }: { kinds: readonly FaultKind<World>[]; world: World },
): Runnable {
  const { seed, hosts, metrics, minutes, outageMs } = options
  const chosen = kindsOrExit(kinds)
  return new ChaosRun(
    { form, kinds: chosen, seed, hosts, metrics, outageMs, loadMs: minutes * 60_000 },
    { ...deps, world },
  )
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
const isExact = isJudged && exitCode === 0 && problems.length === 0
process.exitCode = isExact ? 0 : 1
for (const problem of problems) table.say(`WRONG    ${problem}`)
table.say(
  isExact
    ? `exact, after ${tally.faultCount} faults (seed ${options.seed})`
    : `${isJudged ? 'NOT EXACT' : 'not finished'}, ${problems.length} problems (seed ${options.seed}); logs and data are kept in ${folder}`,
)

function kindsOrExit<World>(kinds: readonly FaultKind<World>[]): readonly FaultKind<World>[] {
  return orExit(() => only(kinds, options.only))
}

function optionsOrExit(): ChaosOptions {
  const command = orExit(() => readChaosCommand(process.argv.slice(2), { nowMs: Date.now() }))
  if (command.kind === 'run') return command.options
  const kinds = command.kind === 'list' && command.isEmbedded ? listed(embeddedKinds) : listed(distributedKinds)
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
