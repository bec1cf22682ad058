/**
 * `npm run bench -- --sustain 10 --rate 1000000`: does the embedded process keep up? The fleet's clock goes as fast as it takes for its
 * hosts to make that many samples a real second. Half a minute to warm up, then so many real minutes with a look every ten seconds, then a
 * verdict: rate, backlog, latency, memory, and every minute of some hosts exactly.
 */
import { join } from 'node:path'
import { allInOneSettings } from '@minutely/all-in-one/config'
import { scrape, valuesOfMetric } from '../fleet/prometheus-text.ts'
import { costOf } from '../process-cost.ts'
import { BenchProcess } from '../topics/bench-process.ts'
import type { BenchOptions } from './bench-options.ts'
import type { BenchDeps } from './contest.ts'
import type { Running } from './contestant.ts'
import { embeddedContestant } from './embedded-contestant.ts'
import { measureRun, type RunFigures } from './measured-run.ts'
import { batchCount, cellMs, type SendPlan } from './send-plan.ts'
import type { SendStatus } from './sender-contract.ts'
import { judgeSustained, type Look, type SustainLimits, type Verdict } from './sustain-verdict.ts'

const warmUpS = 30
const lookEveryMs = 10_000
const minuteMs = 60_000
const p99MsMax = 250
/** A sender that is so late will not catch up. */
const behindSMax = 60
/** Node itself, its code and its heap's slack. */
const nodeBytes = 256 * 1_048_576
/** Memory that settings bound; what they allow together is the process's budget. */
const boundedMemory = [
  allInOneSettings.aggregator.windowBytesMax,
  allInOneSettings.collector.receivedBytesInFlightMax,
  allInOneSettings.collector.decodedBytesInFlightMax,
  allInOneSettings.collector.activeSeriesBytesMax,
  allInOneSettings.collector.seriesCacheBytesMax,
  allInOneSettings.collector.appendQueueBytesMax,
  allInOneSettings.log.tailBytesMax,
] as const

/** @returns whether it kept up. */
export async function runSustained(options: BenchOptions, { folder, say, interrupted }: BenchDeps): Promise<boolean> {
  const { hosts, metrics, speed, sustainMinutes = 1 } = options
  const cells = (realS: number): number => Math.ceil((realS * 1_000 * speed) / cellMs)
  const warmUpCells = cells(warmUpS)
  // Whole minutes, so that the last one can be checked.
  const cellCount = Math.ceil((warmUpCells + cells(sustainMinutes * 60)) / 4) * 4
  const startMs = Math.floor((Date.now() - cellCount * cellMs) / minuteMs) * minuteMs
  const plan: SendPlan = { hostCount: hosts, metricCount: metrics, startMs, cellCount }
  const limits: SustainLimits = {
    samplesPerS: hosts * metrics * speed,
    p99Ms: p99MsMax,
    windowBytes: Number(allInOneSettings.aggregator.windowBytesMax.default),
    residentBytes: nodeBytes + boundedMemory.reduce((sum, setting) => sum + Number(setting.default), 0),
  }
  const sender = new BenchProcess('../bench/sender.ts', {}, { profile: undefined })
  const work = sustain({ plan, speed, warmUpCells, limits }, { sender, folder, say })
  try {
    return await Promise.race([interrupted, work])
  } finally {
    await sender.end()
    await work.catch(() => {})
  }
}

interface Sustained {
  readonly plan: SendPlan
  readonly speed: number
  readonly warmUpCells: number
  readonly limits: SustainLimits
}

interface SustainDeps {
  readonly sender: BenchProcess
  readonly folder: string
  readonly say: (text: string) => void
}

async function sustain({ plan, speed, warmUpCells, limits }: Sustained, deps: SustainDeps): Promise<boolean> {
  const { sender, folder, say } = deps
  say(`preparing ${batchCount(plan)} bodies in ${folder}`)
  const { bytes } = await sender.ask<{ bytes: number }>('prepare', { plan, format: 'avro', path: join(folder, 'avro') })
  const rate = `${(limits.samplesPerS / 1e3).toFixed(0)} k samples/s`
  say(
    `${(bytes / 1e6).toFixed(0)} MB; ${rate} after ${warmUpS} s of warm-up; a clock ${speed.toFixed(1)} times as fast\n`,
  )
  say('| s | k samples/s | sender behind, s | reader behind, s | p50, ms | p99, ms | Node, MB | open minutes, MB |')
  say(`|${'--:|'.repeat(8)}`)
  const looks: Look[] = []
  let isHopeless = false
  const onHopeless = (): void => {
    isHopeless = true
  }
  const onRunning = (running: Running): (() => void) =>
    watch(running, { plan, warmUpCells, sender, looks, say, onHopeless })
  const runOptions = { plan, speed, warmUpCells, folder: join(folder, 'storage') }
  try {
    return report(await measureRun(embeddedContestant, runOptions, { sender, onRunning }), { looks, limits, say })
  } catch (error) {
    // It would go on for as long as the backlog takes.
    if (!isHopeless) throw error
    say(`✖ given up ${behindSMax} s behind\nnot sustained`)
    return false
  }
}

interface Watch extends Pick<SustainDeps, 'sender' | 'say'> {
  readonly plan: SendPlan
  readonly warmUpCells: number
  /** Grows. */
  readonly looks: Look[]
  readonly onHopeless: () => void
}

/** @returns what ends it. */
function watch(running: Running, { plan, warmUpCells, sender, looks, say, onHopeless }: Watch): () => void {
  const { time } = running
  const fromIndex = warmUpCells * plan.hostCount
  const measuredCount = batchCount(plan) - fromIndex
  let startedMs: number | undefined
  let last = { atS: 0, samples: 0 }
  const look = async (): Promise<void> => {
    const status = await sender.ask<SendStatus>('status')
    if (status.behindMs >= behindSMax * 1_000) {
      onHopeless()
      await sender.ask('giveUp')
    }
    if (status.fromIndex !== fromIndex || status.acceptedCount === measuredCount) return
    const nowMs = time.fleetMs + (Date.now() - time.realMs) * time.speed
    startedMs ??= Date.now()
    const atS = (Date.now() - startedMs) / 1_000
    const one = { atS, ...figuresOf(status, plan), ...(await insideOf(running, nowMs)) }
    const rate = atS > last.atS ? (one.acceptedSamples - last.samples) / (atS - last.atS) : 0
    last = { atS, samples: one.acceptedSamples }
    looks.push(one)
    say(rowOf(one, rate))
  }
  // Questions may fail once the process stops; the run's own end says why.
  const timer = setInterval(() => void look().catch(() => {}), lookEveryMs)
  return () => clearInterval(timer)
}

function figuresOf(status: SendStatus, { metricCount }: SendPlan) {
  const { acceptedCount, behindMs, p50Ms, p99Ms } = status
  return {
    acceptedSamples: acceptedCount * metricCount * (cellMs / 1_000),
    senderBehindS: behindMs / 1_000,
    p50Ms,
    p99Ms,
  }
}

async function insideOf({ metricsUrls, roots, time }: Running, nowMs: number) {
  const rows = (await Promise.all(metricsUrls.map(scrape))).flat()
  const completeMs = Math.min(...valuesOfMetric(rows, 'minutely_aggregator_complete_through_seconds')) * 1_000
  // A minute closes when it is over and lateness has passed, so the last complete one is up to a minute older than that.
  const expectedMs = minuteMs + Number(allInOneSettings.aggregator.latenessMs.default)
  const [pid = 0] = roots.keys()
  return {
    readerBehindS: Number.isFinite(completeMs) ? Math.max(0, nowMs - completeMs - expectedMs) / 1_000 / time.speed : 0,
    windowBytes: valuesOfMetric(rows, 'minutely_aggregator_window_bytes').reduce((sum, bytes) => sum + bytes, 0),
    residentBytes: costOf(pid).own.residentBytes,
  }
}

function rowOf(look: Look, rate: number): string {
  const cells = [
    look.atS.toFixed(0),
    rate === 0 ? '' : (rate / 1e3).toFixed(0),
    look.senderBehindS.toFixed(1),
    look.readerBehindS.toFixed(1),
    look.p50Ms.toFixed(0),
    look.p99Ms.toFixed(0),
    (look.residentBytes / 1e6).toFixed(0),
    (look.windowBytes / 1e6).toFixed(0),
  ]
  return `| ${cells.join(' | ')} |`
}

function report(
  { cpu, totalCpuS, samples, memory, send, finding }: RunFigures,
  { looks, limits, say }: { looks: readonly Look[]; limits: SustainLimits; say: (text: string) => void },
): boolean {
  const peakBytes = memory.find(({ name }) => name === 'Node')?.peakBytes ?? 0
  const verdicts: Verdict[] = [
    ...judgeSustained({ looks, wallS: send.wallS, samples, p99Ms: send.p99Ms, peakBytes }, limits),
    {
      name: finding.checked,
      isKept: finding.problems.length === 0,
      found: `${finding.problems.length} wrong`,
    },
  ]
  const million = samples / 1e6
  say(
    `\nCPU-s per million samples: ${(totalCpuS / million).toFixed(3)} (${cpu.map((part) => `${part.name} ${(part.cpuS / million).toFixed(3)}`).join(', ')})`,
  )
  const refused = Object.entries(send.refused).map(([status, count]) => `${count} x ${status}`)
  say(
    `POST p50 ${send.p50Ms.toFixed(0)} ms, p99 ${send.p99Ms.toFixed(0)} ms; refused and sent again: ${refused.join(', ') || 'none'}`,
  )
  for (const line of [...finding.problems.slice(0, 10), ...finding.remarks]) say(`  ${line}`)
  for (const { name, isKept, found } of verdicts) say(`${isKept ? '✔' : '✖'} ${name}: ${found}`)
  const isSustained = verdicts.every(({ isKept }) => isKept)
  say(isSustained ? 'sustained' : 'not sustained')
  return isSustained
}
