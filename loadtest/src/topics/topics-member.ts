/**
 * A reading process of the topics benchmark: a member of the group that does with each partition what an aggregator does
 * (aggregator/src/consume.ts), short of folding and storing: read, decode, and once a minute commit.
 *
 * A partition is served from the moment the first read since it was assigned has come back. The age of a record is the time from its
 * append to its reading, of partitions that were served when the measurement began: how long they were not read.
 */
import type { LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'
import { decodeSampleRecord } from '@minutely/schema/sample-codec'
import { clock, givenOptions, openBenchLog } from './bench-log.ts'
import { cpuSince, serve } from './bench-process.ts'
import { keyOf } from './topics-load.ts'
import { type MemberFigures, type MemberStatus, quantile } from './topics-report.ts'

const waitMs = 1_000
const readBytesMax = 4_194_304
/** As an aggregator's: minutes close, and positions move, so long after their end. */
const latenessMs = 10_000
const float64Bytes = 8
const { sampleLog, config } = await openBenchLog(givenOptions())
const owned = new Map<string, { readonly abort: AbortController; servedAtMs: number }>()
let figures = freshFigures()

serve({
  join,
  fetchEvery,
  status,
  mark,
  figures: readFigures,
  leave: () => sampleLog.stop(),
})

async function join(): Promise<void> {
  const member = Promise.withResolvers<LogConsumer>()
  const joining = sampleLog.join('bench', {
    assigned: (partition) => {
      const abort = new AbortController()
      owned.set(keyOf(partition), { abort, servedAtMs: 0 })
      void consume(partition, member.promise, abort.signal)
    },
    revoked: (partition) => {
      owned.get(keyOf(partition))?.abort.abort()
      owned.delete(keyOf(partition))
    },
  })
  joining.then(member.resolve, member.reject)
  await joining
}

function fetchEvery({ fetchEveryMs }: { fetchEveryMs: number }): void {
  config.fetchEveryMs = fetchEveryMs
}

async function consume(partition: LogPartition, member: Promise<LogConsumer>, signal: AbortSignal): Promise<void> {
  try {
    await readAll(partition, await member, signal)
  } catch (error) {
    // What was revoked while it was being read or committed.
    if (!signal.aborted) process.stderr.write(`${keyOf(partition)}: ${(error as Error).message}\n`)
  }
}

async function readAll(partition: LogPartition, consumer: LogConsumer, signal: AbortSignal): Promise<void> {
  let { position } = await consumer.committed(partition)
  let servedAtMs = 0
  let committedMinute = closedMinute()
  while (!signal.aborted) {
    const isFirst = servedAtMs === 0
    const wait = isFirst ? 0 : waitMs
    const batch = await consumer.read({ partition, position, bytesMax: readBytesMax, waitMs: wait, signal })
    if (signal.aborted) return
    const nowMs = clock.nowMs()
    if (isFirst) servedAtMs = nowMs
    const state = owned.get(keyOf(partition))
    if (isFirst && state !== undefined) state.servedAtMs = nowMs
    for (const record of batch.records) {
      for (const { values } of decodeSampleRecord(record.payload).sections) {
        figures.samples += values.length / float64Bytes
      }
      if (servedAtMs < figures.sinceMs) figures.agesMs.push(nowMs - record.appendedAtMs)
    }
    position = batch.nextPosition
    if (closedMinute() > committedMinute) {
      committedMinute = closedMinute()
      await consumer.commit(partition, position)
    }
  }
}

function closedMinute(): number {
  return Math.floor((clock.nowMs() - latenessMs) / 60_000)
}

function status(): MemberStatus {
  const servedAtMs = [...owned.values()].map((one) => one.servedAtMs)
  return {
    owned: owned.size,
    served: servedAtMs.filter((ms) => ms > 0).length,
    lastServedAtMs: servedAtMs.reduce((last, ms) => Math.max(last, ms), 0),
  }
}

function readFigures(): MemberFigures {
  const { samples, agesMs, cpu, sinceMs } = figures
  return {
    samples,
    cpuS: cpuSince(cpu),
    seconds: (clock.nowMs() - sinceMs) / 1_000,
    ageP50Ms: quantile(agesMs, 0.5),
    ageP99Ms: quantile(agesMs, 0.99),
    ageMaxMs: quantile(agesMs, 1),
    residentBytes: process.memoryUsage.rss(),
  }
}

function mark(): void {
  figures = freshFigures()
}

function freshFigures() {
  return { samples: 0, agesMs: [] as number[], cpu: process.cpuUsage(), sinceMs: clock.nowMs() }
}
