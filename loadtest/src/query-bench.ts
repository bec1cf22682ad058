/**
 * `npm run bench:queries`: how long answers take from sealed hours, beside VictoriaMetrics and Prometheus (queries/query-options.ts). The
 * same questions go to all of them in turns, over a connection each, after as many to warm up; the first answers are
 * compared with what was generated, value by value. Times are of the client, from its request to the last byte; CPU is that of
 * all processes of a server, Postgres' included, less what they take when nobody asks.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { interruption } from './interruption.ts'
import { AskedServer } from './queries/asked-server.ts'
import { type FleetShape, serverIdOf, toMsOf } from './queries/generated-minutes.ts'
import { canRun, peerFolders, type StartedPeer, startPrometheus, startVictoriaMetrics } from './queries/peer-servers.ts'
import { ourFolder, type Peers, prepare, retentionHoursOf } from './queries/prepared-minutes.ts'
import { type QueryOptions, queryUsage, readQueryOptions } from './queries/query-options.ts'
import { type AskedFigures, type Phase, queryReport } from './queries/query-report.ts'
import { type Question, questionsFor, spanText, type Variant, variants } from './queries/questions.ts'
import { startEmbedded } from './start-embedded.ts'

/** Answers of each question that are compared value by value. */
const checkedCount = 2
const warmUpCount = 500
const idleMs = 5_000
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const options = optionsOrExit()
const interrupted = interruption()
const folder = options.data === undefined ? await mkdtemp(join(tmpdir(), 'minutely-queries-')) : resolve(options.data)
const started: StartedPeer[] = []
try {
  await Promise.race([run(options), interrupted])
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  for (const server of started) await server.stop()
  if (options.data === undefined) await rm(folder, { recursive: true, force: true })
}
process.exit()

function optionsOrExit(): QueryOptions {
  try {
    const read = readQueryOptions(process.argv.slice(2))
    if (read !== 'help') return read
    process.stdout.write(`${queryUsage}\n`)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return process.exit(2)
  }
}

async function run({ n, only, report }: QueryOptions): Promise<void> {
  const peers = await peersAtHand(options)
  const { shape, blockBytes } = await prepare(folder, options, { peers, say })
  const minutes = shape.servers * shape.metrics * shape.hours * 60
  say(
    `${minutes} series-minutes, ${spanText(shape)}; our blocks have ${(blockBytes / minutes).toFixed(2)} bytes for each`,
  )
  const servers = await startAll(shape, peers)
  const questions = questionsFor(shape)
  await warmUp(questions, servers)
  const idle = await idleRates(servers)
  const phases: Phase[] = []
  for (const [index, question] of questions.entries()) {
    if (only.length > 0 && !only.includes(index + 1)) continue
    for (const variant of variants) {
      await check(question, variant, servers)
      phases.push(await askAll(question, { variant, n, idle }, servers))
      say(queryReport(phases.slice(-1)))
    }
  }
  const memory = servers.map((server) => `${server.name} ${(server.residentBytes() / 1e6).toFixed(0)} MB`).join(', ')
  const idleText = servers.map(({ name }, index) => `${name} ${((idle[index] ?? 0) * 1_000).toFixed(0)}`).join(', ')
  const text = `${queryReport(phases)}

n = ${n}; ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)} at the end; resident (shared pages counted per process): ${memory}. Idle, subtracted: ${idleText} ms of CPU a second`
  say(`\n${text}`)
  if (report !== undefined) await writeFile(report, `${text}\n`)
  for (const server of servers) server.close()
}

async function peersAtHand({ skip }: QueryOptions): Promise<Peers> {
  const { VICTORIA_METRICS_BIN = 'victoria-metrics', PROMETHEUS_BIN = 'prometheus' } = process.env
  const [hasVictoria, hasPrometheus, hasTool] = await Promise.all([
    canRun(VICTORIA_METRICS_BIN, '-version'),
    canRun(PROMETHEUS_BIN, '--version'),
    canRun('promtool', '--version'),
  ])
  const isWanted = (name: string): boolean => !skip.includes(name)
  if (!hasVictoria && isWanted('victoria-metrics')) say(`${VICTORIA_METRICS_BIN} cannot be run: left out`)
  if (!(hasPrometheus && hasTool) && isWanted('prometheus'))
    say(`${PROMETHEUS_BIN} or promtool cannot be run: left out`)
  return {
    victoriaMetrics: hasVictoria && isWanted('victoria-metrics') ? VICTORIA_METRICS_BIN : undefined,
    prometheus: hasPrometheus && hasTool && isWanted('prometheus') ? PROMETHEUS_BIN : undefined,
  }
}

/** Ours first. */
async function startAll(shape: FleetShape, { victoriaMetrics, prometheus }: Peers): Promise<AskedServer[]> {
  const folders = peerFolders(folder)
  const start = async (name: string, starting: Promise<StartedPeer>): Promise<AskedServer> => {
    const server = await starting
    started.push(server)
    return new AskedServer(name, server)
  }
  const environment = {
    MINUTELY_RETENTION_HOURS: String(retentionHoursOf(shape)),
    ...(options.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${resolve(options.profile)}` }),
  }
  const ours = await start('Minutely', startEmbedded(ourFolder(folder), environment))
  await untilComplete(ours, shape)
  const servers = [ours]
  if (victoriaMetrics !== undefined)
    servers.push(await start('VictoriaMetrics', startVictoriaMetrics(victoriaMetrics, folders.victoriaMetrics)))
  if (prometheus !== undefined) servers.push(await start('Prometheus', startPrometheus(prometheus, folders.prometheus)))
  return servers
}

async function untilComplete(ours: AskedServer, shape: FleetShape): Promise<void> {
  const toMs = toMsOf(shape)
  for (;;) {
    const { body } = await ours.ask(
      `/v1/servers/${serverIdOf(0)}/series?metricId=none&from=${toMs - 60_000}&to=${toMs}`,
    )
    if ((JSON.parse(body.toString()) as { completeThroughMs: number }).completeThroughMs >= toMs) return
    await delay(250)
  }
}

/** So that what a long-lived process has compiled is compiled: the small questions, of both variants. */
async function warmUp(questions: readonly Question[], servers: readonly AskedServer[]): Promise<void> {
  for (let number = 0; number < warmUpCount; number++) {
    for (const question of [questions[0], questions[2]]) {
      const asked = question?.ask(20_000 + number)
      if (asked === undefined) continue
      for (const [index, server] of servers.entries()) {
        await server.ask(index === 0 ? asked.ours(variants[number % 2] ?? 'one') : asked.peers)
      }
    }
  }
}

/** What each server takes while nobody asks it anything, s a second. */
async function idleRates(servers: readonly AskedServer[]): Promise<number[]> {
  const before = servers.map((server) => server.cpuS())
  const startedMs = performance.now()
  await delay(idleMs)
  const tookS = (performance.now() - startedMs) / 1_000
  return servers.map((server, index) => (server.cpuS() - (before[index] ?? 0)) / tookS)
}

async function check(question: Question, variant: Variant, servers: readonly AskedServer[]): Promise<void> {
  for (let number = 0; number < checkedCount; number++) {
    const asked = question.ask(number)
    for (const [index, server] of servers.entries()) {
      const { status, body } = await server.ask(index === 0 ? asked.ours(variant) : asked.peers)
      if (status !== 200)
        throw new Error(`${server.name}, ${question.name}: ${status} ${body.toString().slice(0, 500)}`)
      try {
        if (index === 0) asked.checkOurs(body, variant)
        else asked.checkPeers(body)
      } catch (error) {
        throw new Error(`${server.name}, ${question.name}: ${(error as Error).message}`)
      }
    }
  }
}

async function askAll(
  question: Question,
  { variant, n, idle }: { readonly variant: Variant; readonly n: number; readonly idle: readonly number[] },
  servers: readonly AskedServer[],
): Promise<Phase> {
  const tookMs = servers.map((): number[] => [])
  const bytes = servers.map(() => 0)
  let before: number[] = []
  let startedMs = 0
  for (let number = -n; number < n; number++) {
    if (number === 0) {
      before = servers.map((server) => server.cpuS())
      startedMs = performance.now()
    }
    // Other questions for each variant: a peer may remember an answer.
    const asked = question.ask(number + 10_000 * variants.indexOf(variant))
    for (const [index, server] of servers.entries()) {
      const answer = await server.ask(index === 0 ? asked.ours(variant) : asked.peers)
      if (answer.status !== 200)
        throw new Error(`${server.name}: ${answer.status} ${answer.body.toString().slice(0, 500)}`)
      if (number < 0) continue
      tookMs[index]?.push(answer.tookMs)
      bytes[index] = (bytes[index] ?? 0) + answer.body.length
    }
  }
  const tookS = (performance.now() - startedMs) / 1_000
  const asked = servers.map((server, index): AskedFigures => {
    const cpuS = server.cpuS() - (before[index] ?? 0) - (idle[index] ?? 0) * tookS
    const cpuMs = Math.max(0, cpuS * 1_000) / n
    const name = index === 0 ? `${server.name}, ${variant}` : server.name
    return { name, tookMs: tookMs[index] ?? [], cpuMs, bytes: (bytes[index] ?? 0) / n }
  })
  return { question: question.name, asked }
}
