/**
 * `npm run hostile`: what others notice of hostile requests (hostile-requests.ts). An embedded process gets the requests of
 * ordinary hosts, ten a second, in turns without and with hostile ones beside them; the p99 of both is compared. Exit code 1 when
 * that with them is twice that without or more, the highest memory is more than 64 MiB above that without, or a request of an ordinary host fails.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type HostileOptions, hostileUsage, readHostileOptions } from './hostile-options.ts'
import { interruption } from './interruption.ts'
import { type StartedEmbedded, startEmbedded } from './start-embedded.ts'

const turns = 3
const everyMs = 100
const seriesPerRequest = 50
const ratioMax = 2
const riseBytesMax = 64 * 1_048_576
const warmUpSeconds = 20
/** Of the embedded process, about. */
const startUpSeconds = 10

const options = optionsOrExit()
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const interrupted = interruption()
const folder = await mkdtemp(join(tmpdir(), 'minutely-hostile-'))
let starting: Promise<StartedEmbedded> | undefined
let failures = 0
try {
  process.exitCode = await Promise.race([run(options), interrupted])
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  // Also one that was still starting.
  const embedded = await starting?.catch(() => undefined)
  await embedded?.stop()
  await rm(folder, { recursive: true, force: true })
}
// Turns that were interrupted go on otherwise.
process.exit()

async function run({ seconds }: HostileOptions): Promise<0 | 1> {
  const allSeconds = startUpSeconds + warmUpSeconds + 2 * turns * seconds
  say(
    `takes about ${Math.ceil(allSeconds / 6) / 10} min: a warm-up, then ${turns} turns of ${seconds} s without and with hostile requests`,
  )
  starting = startEmbedded(folder)
  const { url, pid } = await starting
  await ordinary(url, warmUpSeconds)
  const quietMs: number[] = []
  const besideMs: number[] = []
  const counts = new Map<string, number>()
  let quietBytes = 0
  let besideBytes = 0
  for (let turn = 1; turn <= turns; turn++) {
    forgetPeak(pid)
    const quiet = await ordinary(url, seconds)
    quietMs.push(...quiet)
    quietBytes = Math.max(quietBytes, peakBytes(pid))
    say(`turn ${turn}     without: p99 ${p99(quiet).toFixed(1)} ms, at most ${mebibytes(peakBytes(pid))} MiB`)
    forgetPeak(pid)
    const attacked = await beside(url, { counts, seconds })
    besideMs.push(...attacked)
    besideBytes = Math.max(besideBytes, peakBytes(pid))
    say(`turn ${turn}     with:    p99 ${p99(attacked).toFixed(1)} ms, at most ${mebibytes(peakBytes(pid))} MiB`)
  }
  const risenBytes = besideBytes - quietBytes
  const ratio = p99(besideMs) / p99(quietMs)
  say(`hostile    ${[...counts].map(([kind, count]) => `${kind} ${count}`).join(', ')}`)
  say(
    `ordinary   ${besideMs.length} requests, p99 ${p99(besideMs).toFixed(1)} ms; without ${p99(quietMs).toFixed(1)} ms: ${ratio.toFixed(2)} times`,
  )
  say(`memory     at most ${mebibytes(risenBytes)} MiB above that without, ${failures} ordinary requests failed`)
  const isWithin = ratio < ratioMax && risenBytes <= riseBytesMax && failures === 0
  say(isWithin ? 'within the limits' : `beyond the limits: ${ratioMax} times, 64 MiB, none`)
  return isWithin ? 0 : 1
}

function optionsOrExit(): HostileOptions {
  try {
    const read = readHostileOptions(process.argv.slice(2))
    if (read !== 'help') return read
    process.stdout.write(`${hostileUsage}\n`)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return process.exit(2)
  }
}

interface Attack {
  readonly counts: Map<string, number>
  readonly seconds: number
}

async function beside(url: string, { counts, seconds }: Attack): Promise<number[]> {
  const sender = fork(fileURLToPath(new URL('./hostile-requests.ts', import.meta.url)), [url])
  sender.on('message', ({ kind }: { kind: string }) => counts.set(kind, (counts.get(kind) ?? 0) + 1))
  try {
    // Until its bombs are made.
    await once(sender, 'message')
    return await ordinary(url, seconds)
  } finally {
    const ended = once(sender, 'exit')
    sender.kill('SIGKILL')
    await ended
  }
}

/** At their instants, whether others were answered or not. @returns how long each took, ms. */
async function ordinary(url: string, forSeconds: number): Promise<number[]> {
  const latenciesMs: number[] = []
  const pending: Promise<void>[] = []
  for (let index = 0; index < (forSeconds * 1_000) / everyMs; index++) {
    pending.push(sendOne(url, index).then((latencyMs) => void latenciesMs.push(latencyMs)))
    await delay(everyMs)
  }
  await Promise.all(pending)
  return latenciesMs
}

async function sendOne(url: string, index: number): Promise<number> {
  const startMs = Math.floor(Date.now() / 1_000) * 1_000 - 15_000
  const series = Array.from({ length: seriesPerRequest }, (_, metric) => {
    return { metricId: `m${metric}`, values: Array.from({ length: 15 }, (_, slot) => metric + slot) }
  })
  const body = JSON.stringify({ serverId: `host-${index % 100}`, startMs, stepMs: 1_000, series })
  const startedMs = performance.now()
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}/v1/samples`, { method: 'POST', headers, body }).catch(() => undefined)
  await answer?.arrayBuffer()
  if (answer?.status !== 202) failures++
  return performance.now() - startedMs
}

function p99(latenciesMs: readonly number[]): number {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  return sorted[Math.ceil(0.99 * sorted.length) - 1] ?? Number.NaN
}

function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1)
}

function peakBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) * 1_024
}
