/**
 * One case of the topics benchmark on a running broker: topics made, two readers and a writer, idle, load at each linger, a
 * third reader that joins under load and is killed. Everything is removed in the end.
 */
import { randomUUID } from 'node:crypto'
import { costOf } from '../process-cost.ts'
import type { BenchBroker } from './bench-broker.ts'
import { type BenchClient, type BenchLogOptions, clock } from './bench-log.ts'
import { BenchProcess } from './bench-process.ts'
import type {
  CaseFigures,
  CaseSpec,
  ChangeFigures,
  LoadFigures,
  LoadSpec,
  MemberFigures,
  MemberStatus,
  WriterFigures,
} from './topics-report.ts'

const idleMs = 10_000
/** From the start of a load to its measurement. */
const settleMs = 6_000
const pollMs = 100
const changeMsMax = 120_000
/** Silence after which the group gives a member up. */
const sessionTimeoutMs = 10_000

export interface CaseSettings {
  readonly hostCount: number
  readonly seriesPerHost: number
  /** The first also while the group changes. */
  readonly loads: readonly LoadSpec[]
  readonly seconds: number
  readonly client: BenchClient
  /** A folder for CPU profiles of all processes. */
  readonly profile: string | undefined
  readonly onProgress: (message: string) => void
}

export async function runCase(spec: CaseSpec, settings: CaseSettings, broker: BenchBroker): Promise<CaseFigures> {
  const { metricCount, partitionCount, topicsMax } = spec
  const { hostCount, seriesPerHost, profile, onProgress } = settings
  const [first] = settings.loads
  if (first === undefined) throw new Error('BUG: no load')
  const options: BenchLogOptions = {
    brokers: broker.address,
    topicPrefix: `bench-${randomUUID().slice(0, 8)}`,
    partitionCount,
    topicsMax,
    sessionTimeoutMs,
    load: { hostCount, seriesPerHost, metricCount },
    client: settings.client,
    fetchEveryMs: first.fetchEveryMs,
  }
  const started: BenchProcess[] = []
  const begin = (script: string): BenchProcess => {
    const one = new BenchProcess(script, options, { profile })
    started.push(one)
    return one
  }
  try {
    const writer = begin('./topics-writer.ts')
    const { createMs, partitionCount: partitions } = await writer.ask<{ createMs: number; partitionCount: number }>(
      'prepare',
    )
    onProgress(`${partitions} partitions made in ${Math.round(createMs / 1_000)} s`)
    const members = [begin('./topics-member.ts'), begin('./topics-member.ts')]
    await Promise.all(members.map((member) => member.ask('join')))
    await untilServed(members, partitions)
    await writer.ask('warmUp')
    onProgress('all partitions have readers and a first record; idle')
    const idle = await measureIdle(members, broker)
    const loads: LoadFigures[] = []
    for (const load of settings.loads) {
      onProgress(`flushes every ${load.lingerMs} ms, fetches every ${load.fetchEveryMs} ms`)
      loads.push(await measureLoad({ writer, members, ...load, seconds: settings.seconds }, broker))
    }
    await startLoad({ writer, members, ...first })
    await clock.sleep(settleMs)
    const third = begin('./topics-member.ts')
    onProgress('a third reader joins')
    // Its start is not what is measured.
    await third.ask('status')
    const join = await measureChange([...members, third], members, { partitions, change: () => third.ask('join') })
    await clock.sleep(settleMs)
    onProgress('the third reader is killed')
    const kill = await measureChange(members, members, { partitions, change: () => third.kill() })
    const brokerResidentBytes = costOf(broker.pid).own.residentBytes
    await writer.ask('stop')
    await Promise.all(members.map((member) => member.ask('leave')))
    await writer.ask('remove')
    return { spec, partitions, createMs, idle, loads, join, kill, brokerResidentBytes }
  } finally {
    await Promise.all(started.map((one) => one.end()))
  }
}

async function measureIdle(members: readonly BenchProcess[], { pid }: BenchBroker): Promise<CaseFigures['idle']> {
  await clock.sleep(settleMs / 2)
  const before = costOf(pid).own.cpuS
  await askAll(members, 'mark')
  await clock.sleep(idleMs)
  return { members: await askAll<MemberFigures>(members, 'figures'), brokerCpuS: costOf(pid).own.cpuS - before }
}

interface Load extends LoadSpec {
  readonly writer: BenchProcess
  readonly members: readonly BenchProcess[]
}

async function measureLoad(load: Load & { readonly seconds: number }, { pid }: BenchBroker): Promise<LoadFigures> {
  const { writer, members, seconds, lingerMs, fetchEveryMs } = load
  await startLoad(load)
  await clock.sleep(settleMs)
  const before = costOf(pid).own.cpuS
  await askAll([writer, ...members], 'mark')
  await clock.sleep(seconds * 1_000)
  const [written, read] = await Promise.all([
    writer.ask<WriterFigures>('figures'),
    askAll<MemberFigures>(members, 'figures'),
  ])
  const brokerCpuS = costOf(pid).own.cpuS - before
  await writer.ask('stop')
  return { lingerMs, fetchEveryMs, writer: written, members: read, brokerCpuS }
}

async function startLoad({ writer, members, lingerMs, fetchEveryMs }: Load): Promise<void> {
  await Promise.all(members.map((member) => member.ask('fetchEvery', { fetchEveryMs })))
  await writer.ask('start', { lingerMs })
}

/** `owners` share the partitions after the change; `lasting` were there before, too. */
async function measureChange(
  owners: readonly BenchProcess[],
  lasting: readonly BenchProcess[],
  { partitions, change }: { partitions: number; change: () => Promise<unknown> },
): Promise<ChangeFigures> {
  await askAll(lasting, 'mark')
  const startedMs = clock.nowMs()
  await change()
  const endedMs = await untilServed(owners, partitions)
  await clock.sleep(settleMs / 2)
  const figures = await askAll<MemberFigures>(lasting, 'figures')
  return { tookMs: endedMs - startedMs, ageMaxMs: Math.max(...figures.map(({ ageMaxMs }) => ageMaxMs)) }
}

/** Until each partition has one owner, which has read it. @returns when the last one was first read, ms since the epoch. */
async function untilServed(members: readonly BenchProcess[], partitions: number): Promise<number> {
  const untilMs = clock.nowMs() + changeMsMax
  for (;;) {
    const statuses = await askAll<MemberStatus>(members, 'status')
    const served = statuses.reduce((sum, status) => sum + status.served, 0)
    const owned = statuses.reduce((sum, status) => sum + status.owned, 0)
    if (served === partitions && owned === partitions && statuses.every((status) => status.owned > 0)) {
      return Math.max(...statuses.map(({ lastServedAtMs }) => lastServedAtMs))
    }
    if (clock.nowMs() > untilMs) {
      throw new Error(`after ${changeMsMax} ms ${owned} of ${partitions} partitions had owners and ${served} were read`)
    }
    await clock.sleep(pollMs)
  }
}

function askAll<T>(processes: readonly BenchProcess[], command: string): Promise<T[]> {
  return Promise.all(processes.map((one) => one.ask<T>(command)))
}
