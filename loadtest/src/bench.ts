/**
 * `npm run bench`: what the embedded process costs, Postgres included, and what it sustains.
 *
 *   npm run bench -- --hosts 200 --metrics 200 --minutes 5 --speed 10
 *
 * The fleet's bodies are prepared before anything is measured. The process runs with a clock `speed` times as fast,
 * every host ships every 15 s of that clock at a phase of its own, over 16 connections. Reported: CPU-seconds per million samples of
 * Node and of Postgres, memory, disk, latency of the POST, and the ratio to a floor measured in the same run: decompressing
 * the same bodies and reading every value once, which is the least any server must do. At the end every minute of a sample of
 * hosts is compared with what was sent.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import { decodeSampleBatch } from '@minutely/schema/sample-codec'
import { checkFleet } from './check-fleet.ts'
import { batchHeaders, batchSeconds, GeneratedFleet } from './generated-fleet.ts'
import { costOf } from './process-cost.ts'

const usage = `npm run bench -- [--hosts 200] [--metrics 200] [--minutes 5] [--speed 10] [--profile FOLDER]

  --hosts, --metrics   size of the fleet, one sample a second each
  --minutes            of the fleet's time
  --speed              how many times as fast as real time
  --profile            writes a CPU profile of the Node process there`
const options = readOptions()
const [hosts, metrics, minutes, speed] = [options.hosts, options.metrics, options.minutes, options.speed]
const batchMs = batchSeconds * 1_000
const fleet = new GeneratedFleet({ hostCount: hosts, metricCount: metrics, seed: 1 })
/** A whole minute a little ahead of now, so that the process is up before the first batch is due. */
const startMs = Math.ceil(Date.now() / 60_000) * 60_000
const rounds = (minutes * 60) / batchSeconds
const sampleCount = hosts * metrics * minutes * 60
const say = (text: string): void => void process.stdout.write(`${text}\n`)

say(
  `preparing ${rounds * hosts} bodies of ${metrics} series x ${batchSeconds} s (${sampleCount.toLocaleString('en')} samples)`,
)
const bodies = Array.from({ length: rounds }, (_, round) =>
  Array.from({ length: hosts }, (_, host) => {
    const blockMs = startMs + round * batchMs
    return fleet.body(host, { startMs: blockMs, sentAtMs: blockMs })
  }),
)
const floorS = measureFloor()
const dataDir = await mkdtemp(join(tmpdir(), 'minutely-bench-'))
const child = spawn(
  process.execPath,
  [
    ...(options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : []),
    fileURLToPath(new URL('./embedded-under-test.ts', import.meta.url)),
    String(speed),
    String(startMs - 5_000 * speed),
  ],
  {
    env: {
      ...process.env,
      MINUTELY_DATA_DIR: dataDir,
      MINUTELY_PORT: '0',
      MINUTELY_LOCAL_AGENT: 'off',
      // The deadline is in scaled time, the disk is not.
      MINUTELY_APPEND_DEADLINE_MS: '60000',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
const line = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
const { url, startedAtMs } = JSON.parse(line[0]) as { url: string; startedAtMs: number }
const realStartMs = Date.now()
const virtualNow = (): number => startedAtMs + (Date.now() - realStartMs) * speed

const agent = new Agent({ keepAlive: true, maxSockets: 16 })
const latenciesMs: number[] = []
const refused = new Map<number, number>()
const pid = child.pid ?? 0
const before = costOf(pid)
const wallStartMs = Date.now()
await shipAll()
const wallS = (Date.now() - wallStartMs) / 1_000
const endMs = startMs + minutes * 60_000
await waitForClose(endMs)
const after = costOf(pid)
const firstHosts = Array.from({ length: Math.min(hosts, 10) }, (_, host) => host)
const verdict = await checkFleet({ url, fleet, fromMs: startMs, toMs: endMs, hosts: firstHosts })
const diskMb = await diskUse()
report()
child.kill('SIGTERM')
await once(child, 'exit')
await rm(dataDir, { recursive: true, force: true })
process.exitCode = verdict.problems.length === 0 ? 0 : 1

function readOptions(): {
  hosts: number
  metrics: number
  minutes: number
  speed: number
  profile: string | undefined
} {
  const text = (fallback: string): { type: 'string'; default: string } => ({ type: 'string', default: fallback })
  try {
    const { values } = parseArgs({
      options: {
        hosts: text('200'),
        metrics: text('200'),
        minutes: text('5'),
        speed: text('10'),
        profile: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (!values.help) {
      const number = (name: 'hosts' | 'metrics' | 'minutes' | 'speed'): number => {
        const value = Number(values[name])
        if (Number.isInteger(value) && value > 0) return value
        throw new Error(`--${name} ${values[name]}: a whole number above 0 is needed`)
      }
      const [hosts, metrics] = [number('hosts'), number('metrics')]
      return { hosts, metrics, minutes: number('minutes'), speed: number('speed'), profile: values.profile }
    }
    process.stdout.write(`${usage}\n`)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${usage}\n\n${(error as Error).message}\n`)
    return process.exit(2)
  }
}

/** Sends each batch at its time: its end plus the host's phase in [0, 8 s). */
async function shipAll(): Promise<void> {
  const due = Array.from({ length: rounds * hosts }, (_, index) => {
    const round = Math.floor(index / hosts)
    const host = index % hosts
    return { round, host, dueMs: startMs + (round + 1) * batchMs + (host * 8_000) / hosts }
  })
  const inFlight = new Set<Promise<void>>()
  let shown = 0
  for (const { round, host, dueMs } of due) {
    const waitMs = (dueMs - virtualNow()) / speed
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs))
    if (inFlight.size >= 64) await Promise.race(inFlight)
    const sending = ship(bodies[round]?.[host] as Buffer).finally(() => inFlight.delete(sending))
    inFlight.add(sending)
    if (round > shown && process.stdout.isTTY) {
      shown = round
      process.stdout.write(
        `\r  shipped ${round}/${rounds} rounds, ${((virtualNow() - dueMs) / 1_000).toFixed(1)} s behind `,
      )
    }
  }
  await Promise.all(inFlight)
  say('')
}

/** Until it is acknowledged, as an agent does. */
async function ship(body: Buffer): Promise<void> {
  while ((await post(body)) !== 202) await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400))
}

/** @returns the status. */
async function post(body: Buffer): Promise<number> {
  const startedMs = performance.now()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const outgoing = request(
    `${url}/v1/samples`,
    { method: 'POST', agent, headers: { ...batchHeaders, 'content-length': body.length } },
    (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    },
  )
  outgoing.on('error', reject).end(body)
  const status = await promise
  latenciesMs.push(performance.now() - startedMs)
  if (status !== 202) refused.set(status, (refused.get(status) ?? 0) + 1)
  return status
}

async function waitForClose(instantMs: number): Promise<void> {
  for (;;) {
    const answer = await fetch(
      `${url}/v1/servers/${fleet.serverId(0)}/series?metricId=none&from=${startMs}&to=${instantMs}`,
    )
    const { completeThroughMs } = (await answer.json()) as { completeThroughMs: number }
    if (completeThroughMs >= instantMs) return
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

/** CPU-seconds to decompress every body and read every value once. */
function measureFloor(): number {
  const startedAt = process.cpuUsage()
  let sum = 0
  for (const round of bodies) {
    for (const body of round) {
      for (const { values } of decodeSampleBatch(zstdDecompressSync(body)).blocks) {
        const aligned = new Float64Array(new Uint8Array(values).buffer)
        for (const value of aligned) sum += value
      }
    }
  }
  const used = process.cpuUsage(startedAt)
  if (!Number.isFinite(sum)) throw new Error('BUG: the floor read something else')
  return (used.user + used.system) / 1e6
}

async function diskUse(): Promise<number> {
  const du = spawn('du', ['-sm', dataDir], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  for await (const chunk of du.stdout) text += chunk
  return Number.parseInt(text, 10)
}

function report(): void {
  const million = sampleCount / 1e6
  const node = after.own.cpuS - before.own.cpuS
  const postgres = after.descendants.cpuS - before.descendants.cpuS
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const quantile = (q: number): string => (sorted[Math.floor(q * (sorted.length - 1))] ?? 0).toFixed(0)
  const row = (name: string, cpuS: number): string =>
    `| ${name} | ${cpuS.toFixed(2)} | ${(cpuS / million).toFixed(4)} | ${(cpuS / floorS).toFixed(2)} |`
  say(`
| stage | CPU-s | CPU-s per million samples | ratio to the floor |
|---|--:|--:|--:|
${row('Node: HTTP, decode, judge, append, fold, close', node)}
${row('Postgres: log and minutes', postgres)}
${row('total', node + postgres)}
${row('floor: decompress and read once', floorS)}

${(sampleCount / wallS / 1e3).toFixed(0)} k samples/s over ${wallS.toFixed(0)} s; POST p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms; \
refused: ${[...refused].map(([status, count]) => `${count} x ${status}`).join(', ') || 'none'}
memory: Node ${(after.own.residentBytes / 1e6).toFixed(0)} MB, Postgres ${(after.descendants.residentBytes / 1e6).toFixed(0)} MB (shared counted per process); disk ${diskMb} MB
checked: every minute of ${firstHosts.length} hosts, ${verdict.checkedMinutes} series-minutes, ${verdict.problems.length} wrong`)
  for (const problem of verdict.problems.slice(0, 10)) say(`  ${problem}`)
}
