/**
 * `npm run bench:viewers`: a thousand live viewers on one query API while a fleet sends (viewers/viewers-options.ts).
 *
 *   | a minute to begin | without viewers | with viewers ............ | without viewers |
 *
 * The parts follow each other in one run, so that they differ in the viewers and in little else; what other processes of the machine
 * do meanwhile is told by the load average. Agents and viewers are processes of their own, whose cost counts for nobody.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { interruption } from './interruption.ts'
import { costOf } from './process-cost.ts'
import { startDistributed } from './start-distributed.ts'
import { startEmbedded } from './start-embedded.ts'
import { ClosedMinutes } from './viewers/closed-minutes.ts'
import { type Crowd, startCrowd, type Watching } from './viewers/crowd.ts'
import { type Sender, startSender } from './viewers/sender.ts'
import { readViewersOptions, type ViewersOptions, viewersUsage } from './viewers/viewers-options.ts'
import { type IngestPart, viewersReport } from './viewers/viewers-report.ts'

interface UnderTest {
  readonly collectors: readonly string[]
  readonly query: string
  /** Processes that take samples in, and those that serve viewers. */
  readonly ingestPids: readonly number[]
  readonly viewerPids: readonly number[]
  stop(): Promise<void>
}

const sampleEveryMs = 5_000
const minuteMs = 60_000
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const options = optionsOrExit()
const folder = await mkdtemp(join(tmpdir(), 'minutely-viewers-'))
const stops: (() => Promise<void>)[] = []
try {
  await Promise.race([run(options), interruption()])
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  for (const stop of stops.toReversed()) await stop()
  await rm(folder, { recursive: true, force: true })
}
process.exit()

function optionsOrExit(): ViewersOptions {
  try {
    const read = readViewersOptions(process.argv.slice(2))
    if (read !== 'help') return read
    say(viewersUsage)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return process.exit(2)
  }
}

async function run({ viewers, minutes, servers, metrics, isDistributed, report }: ViewersOptions): Promise<void> {
  const tested = isDistributed ? await distributed() : await embedded()
  stops.push(tested.stop)
  const sender = startSender({ urls: tested.collectors, servers, metrics })
  stops.push(sender.stop)
  say(`${servers} servers x ${metrics} metrics; the first minute begins`)
  await delay(100_000)
  const baselineMs = Math.max(minuteMs, (minutes / 2) * minuteMs)
  const before = await part('before', baselineMs, { tested, sender })
  say(`${viewers} viewers connect`)
  const crowd = startCrowd({ viewers, urls: [tested.query], servers, metrics })
  stops.push(crowd.stop)
  await delay(viewers * 5 + 5_000)
  const openedAtMs = Date.now()
  const closed = new ClosedMinutes(tested.query)
  const watched = await part('with viewers', minutes * minuteMs, { tested, sender })
  // The last minute's events are told when those of the next one have begun.
  await delay(minuteMs + sampleEveryMs)
  await closed.stop()
  const dropped = await droppedOf(tested.query)
  const { openCount, endedCount } = crowd.state
  await crowd.stop()
  await delay(sampleEveryMs)
  const after = await part('after', baselineMs, { tested, sender })
  const result = viewersReport({
    ...delaysOf(crowd, closed, openedAtMs),
    parts: [before, watched, after],
    dropped,
    open: openCount - endedCount,
  })
  const text = `${result}\n\n${viewers} viewers for ${minutes} min, ${isDistributed ? 'distributed' : 'one process'}; ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)} at the end`
  say(`\n${text}`)
  if (report !== undefined) await writeFile(report, `${text}\n`)
}

async function embedded(): Promise<UnderTest> {
  const { url, pid, stop } = await startEmbedded(folder)
  return { collectors: [url], query: url, ingestPids: [pid], viewerPids: [pid], stop }
}

async function distributed(): Promise<UnderTest> {
  const { collectors, queries, processes, stop } = await startDistributed(folder, say)
  const named = (kind: string): number[] => processes.filter(({ name }) => name === kind).map(({ pid }) => pid)
  const query = queries[0] ?? ''
  return { collectors, query, ingestPids: named('collector'), viewerPids: named('query-api'), stop }
}

async function part(
  name: string,
  durationMs: number,
  { tested, sender }: { tested: UnderTest; sender: Sender },
): Promise<IngestPart> {
  const cpuS = (): number => tested.ingestPids.reduce((sum, pid) => sum + costOf(pid).own.cpuS, 0)
  const residentBytes: number[] = []
  sender.take()
  const [startedMs, cpuBeforeS] = [performance.now(), cpuS()]
  while (performance.now() - startedMs < durationMs) {
    await delay(sampleEveryMs)
    residentBytes.push(tested.viewerPids.reduce((sum, pid) => sum + costOf(pid).own.residentBytes, 0))
  }
  const sent = sender.take()
  const accepted = sent.filter(({ status }) => status === 202)
  return {
    name,
    seconds: (performance.now() - startedMs) / 1_000,
    samples: accepted.reduce((sum, { samples }) => sum + samples, 0),
    failed: sent.length - accepted.length,
    tookMs: accepted.map(({ tookMs }) => tookMs),
    cpuS: cpuS() - cpuBeforeS,
    residentBytes,
  }
}

function delaysOf({ minutes }: Crowd, { closedAtMs }: ClosedMinutes, openedAtMs: number) {
  const delaysMs = new Map<Watching, number[]>()
  const viewersOf = new Map<Watching, number>()
  // The first minute that is closed while all are there.
  const told = minutes.filter(({ minuteMs: atMs }) => (closedAtMs.get(atMs) ?? 0) > openedAtMs)
  for (const { watching, arrivalsMs } of told) {
    viewersOf.set(watching, Math.max(viewersOf.get(watching) ?? 0, arrivalsMs.length))
  }
  let missed = 0
  for (const { watching, minuteMs: atMs, arrivalsMs } of told) {
    const delays = delaysMs.get(watching) ?? []
    for (const arrivalMs of arrivalsMs) delays.push(Math.max(0, arrivalMs - (closedAtMs.get(atMs) ?? 0)))
    delaysMs.set(watching, delays)
    missed += (viewersOf.get(watching) ?? 0) - arrivalsMs.length
  }
  return { delaysMs, missed }
}

async function droppedOf(url: string): Promise<string> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const rows = [...text.matchAll(/^minutely_query_viewers_dropped_total\{reason="(\S+)"\} (\d+)$/gm)]
  return rows.map(([, reason, count]) => `${count} ${reason}`).join(', ') || 'none'
}
