/**
 * The writing process of the topics benchmark: what a collector does between a decoded request and the log. Each host's batch
 * is due every 15 s, the hosts evenly over them; every `lingerMs` what is due is cut by partition, encoded as one record a partition
 * and appended. At most as many appends as a collector's are in flight; what is late waits, and nothing is dropped.
 */
import type { LogAppend, LogPartition } from '@minutely/lib/sample-log/sample-log'
import { encodeSampleRecord, type SampleSection } from '@minutely/schema/sample-codec'
import { clock, givenOptions, openBenchLog } from './bench-log.ts'
import { cpuSince, serve } from './bench-process.ts'
import { batchSeconds, keyOf, type LoadHost, loadHost, metricIds, sectionsOf } from './topics-load.ts'
import { quantile, type WriterFigures } from './topics-report.ts'

const options = givenOptions()
const { hostCount, seriesPerHost } = options.load
const batchMs = batchSeconds * 1_000
const appendsInFlightMax = 4
const topicsAtOnce = 50
const createMsMax = 300_000
const retryMs = 250
const partitionsAtOnce = 400
const { sampleLog } = await openBenchLog(options)
let hosts: readonly LoadHost[] = []
let running: { readonly abort: AbortController; readonly done: Promise<void> } | undefined
let figures = freshFigures()

serve({
  prepare,
  warmUp,
  start,
  stop,
  mark,
  figures: readFigures,
  remove,
})

/** @returns how long the topics took, ms, and how many partitions there are. */
async function prepare(): Promise<{ createMs: number; partitionCount: number }> {
  const startedMs = clock.nowMs()
  const metrics = metricIds(options.load)
  for (let from = 0; from < metrics.length; from += topicsAtOnce) {
    await makeTopics(metrics.slice(from, from + topicsAtOnce), startedMs + createMsMax)
  }
  const createMs = clock.nowMs() - startedMs
  hosts = Array.from({ length: hostCount }, (_, host) => {
    return loadHost(host, options.load, (series) => sampleLog.route(series))
  })
  return { createMs, partitionCount: (await sampleLog.partitions()).length }
}

/** The leaders of many new partitions may not be known for longer than an append would wait. */
async function makeTopics(metrics: readonly string[], untilMs: number): Promise<void> {
  for (;;) {
    try {
      return await sampleLog.prepare(metrics)
    } catch (error) {
      if (clock.nowMs() > untilMs) throw error
      await clock.sleep(retryMs)
    }
  }
}

/** The first record of each partition is slow: its files are made. */
async function warmUp(): Promise<void> {
  const partitions = await sampleLog.partitions()
  const payload = encodeSampleRecord({ receivedAtMs: clock.nowMs(), sections: [] })
  for (let from = 0; from < partitions.length; from += partitionsAtOnce) {
    const some = partitions.slice(from, from + partitionsAtOnce)
    await sampleLog.append(some.map((partition) => ({ ...partition, payload })))
  }
}

function start({ lingerMs }: { lingerMs: number }): void {
  const abort = new AbortController()
  running = { abort, done: write(lingerMs, abort.signal) }
}

async function stop(): Promise<void> {
  running?.abort.abort()
  await running?.done
}

async function write(lingerMs: number, signal: AbortSignal): Promise<void> {
  const inFlight = new Set<Promise<void>>()
  const startedMs = clock.nowMs()
  let sentCount = 0
  while (!signal.aborted) {
    await clock.sleep(lingerMs - ((clock.nowMs() - startedMs) % lingerMs), signal)
    const dueCount = Math.floor(((clock.nowMs() - startedMs) / batchMs) * hostCount)
    if (dueCount === sentCount) continue
    while (inFlight.size >= appendsInFlightMax) await Promise.race(inFlight)
    const appends = gather(sentCount, dueCount)
    const sampleCount = (dueCount - sentCount) * seriesPerHost * batchSeconds
    sentCount = dueCount
    const sending = append(appends, sampleCount).finally(() => inFlight.delete(sending))
    inFlight.add(sending)
  }
  await Promise.all(inFlight)
}

function gather(from: number, to: number): LogAppend[] {
  const receivedAtMs = clock.nowMs()
  const gathered = new Map<string, { readonly partition: LogPartition; readonly sections: SampleSection[] }>()
  for (let index = from; index < to; index++) {
    const startMs = Math.floor(receivedAtMs / batchMs) * batchMs - batchMs
    for (const { partition, section } of sectionsOf(hosts[index % hostCount] as LoadHost, startMs)) {
      const key = keyOf(partition)
      const one = gathered.get(key) ?? { partition, sections: [] }
      gathered.set(key, one)
      one.sections.push(section)
    }
  }
  return [...gathered.values()].map(({ partition, sections }) => {
    return { ...partition, payload: encodeSampleRecord({ receivedAtMs, sections }) }
  })
}

async function append(appends: readonly LogAppend[], sampleCount: number): Promise<void> {
  const into = figures
  const startedMs = performance.now()
  try {
    await sampleLog.append(appends)
    into.samples += sampleCount
  } catch (error) {
    into.failures++
    process.stderr.write(`an append failed: ${(error as Error).message}\n`)
  }
  into.latenciesMs.push(performance.now() - startedMs)
  into.touched += appends.length
}

function readFigures(): WriterFigures {
  const { samples, failures, touched, latenciesMs, cpu, sinceMs } = figures
  return {
    samples,
    failures,
    cpuS: cpuSince(cpu),
    seconds: (performance.now() - sinceMs) / 1_000,
    touchedPerAppend: touched / Math.max(1, latenciesMs.length),
    sendP50Ms: quantile(latenciesMs, 0.5),
    sendP99Ms: quantile(latenciesMs, 0.99),
    residentBytes: process.memoryUsage.rss(),
  }
}

async function remove(): Promise<void> {
  const topics = [...new Set((await sampleLog.partitions()).map(({ topic }) => topic))]
  for (let from = 0; from < topics.length; from += topicsAtOnce) {
    await sampleLog.cluster.deleteTopics(topics.slice(from, from + topicsAtOnce))
  }
  await sampleLog.stop()
}

function mark(): void {
  figures = freshFigures()
}

function freshFigures() {
  return {
    samples: 0,
    failures: 0,
    touched: 0,
    latenciesMs: [] as number[],
    cpu: process.cpuUsage(),
    sinceMs: performance.now(),
  }
}
