/**
 * Figures of the topics benchmark and their tables. Pure. A figure is followed by its ratio to the first case with the same
 * load in the same run: machines differ and drift, ratios within a run less so.
 */

export interface WriterFigures {
  readonly samples: number
  readonly failures: number
  readonly cpuS: number
  readonly seconds: number
  /** Partitions that got a record, a flush. */
  readonly touchedPerAppend: number
  readonly sendP50Ms: number
  readonly sendP99Ms: number
  readonly residentBytes: number
}

export interface MemberStatus {
  readonly owned: number
  /** Of the owned, those read at least once since they were assigned. */
  readonly served: number
  /** ms since the epoch. */
  readonly lastServedAtMs: number
}

export interface MemberFigures {
  readonly samples: number
  readonly cpuS: number
  readonly seconds: number
  /** From append to reading. */
  readonly ageP50Ms: number
  readonly ageP99Ms: number
  readonly ageMaxMs: number
  readonly residentBytes: number
}

export interface CaseSpec {
  readonly metricCount: number
  readonly partitionCount: number
  /** Metrics with a topic of their own; the others share. */
  readonly topicsMax: number
}

/** How a load is flushed and fetched. */
export interface LoadSpec {
  readonly lingerMs: number
  /** Least time between two fetches of a reader. */
  readonly fetchEveryMs: number
}

export interface LoadFigures extends LoadSpec {
  readonly writer: WriterFigures
  readonly members: readonly MemberFigures[]
  readonly brokerCpuS: number
}

export interface CaseFigures {
  readonly spec: CaseSpec
  /** Of all topics. */
  readonly partitions: number
  readonly createMs: number
  readonly idle: { readonly members: readonly MemberFigures[]; readonly brokerCpuS: number }
  readonly loads: readonly LoadFigures[]
  readonly join: ChangeFigures
  readonly kill: ChangeFigures
  readonly brokerResidentBytes: number
}

export interface ChangeFigures {
  /** Until every partition was read by its owner. */
  readonly tookMs: number
  /** Oldest record that was read meanwhile from a partition that kept its owner. */
  readonly ageMaxMs: number
}

/** `q` of 0..1; 0 of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.floor(q * (sorted.length - 1))] ?? 0
}

/** 2000, 2000x1, 2000/200 or 2000x1/200: metrics, partitions a topic, topics at most. */
export function parseCase(text: string, defaultPartitionCount: number): CaseSpec {
  const [, metrics, partitions, topicsMax] = /^(\d+)(?:x(\d+))?(?:\/(\d+))?$/.exec(text) ?? []
  if (metrics === undefined || Number(metrics) === 0 || Number(partitions ?? 1) === 0) {
    throw new Error(`${text}: a case is written 2000, 2000x1 or 2000x4/200 (metrics x partitions / topics at most)`)
  }
  return {
    metricCount: Number(metrics),
    partitionCount: Number(partitions ?? defaultPartitionCount),
    topicsMax: Number(topicsMax ?? metrics),
  }
}

/** 250 or 250/1000: ms between flushes, and at least between fetches. */
export function parseLoad(text: string, defaultFetchEveryMs: number): LoadSpec {
  const [, linger, fetchEvery] = /^(\d+)(?:\/(\d+))?$/.exec(text) ?? []
  if (linger === undefined || Number(linger) === 0) {
    throw new Error(`${text}: a load is written 250 or 250/1000 (ms between flushes / between fetches)`)
  }
  return { lingerMs: Number(linger), fetchEveryMs: Number(fetchEvery ?? defaultFetchEveryMs) }
}

export function nameOf({ metricCount, partitionCount, topicsMax }: CaseSpec): string {
  const shared = topicsMax < metricCount ? `, ${topicsMax} own topics, the others shared` : ''
  return `${metricCount.toLocaleString('en')} x ${partitionCount}${shared}`
}

export function topicsReport(cases: readonly CaseFigures[]): string {
  const costs = cases.flatMap((one) => one.loads.map((load) => costRow(one, load, sameLoad(cases[0], load))))
  return `CPU-s per million samples; in brackets the ratio to the first case. Fewer samples/s than in the first
case: the machine did not keep up, and the row is no measurement.

| metrics x partitions | flush / fetch every ms | k samples/s | touched a flush | write | read | broker | all | send p50 / p99 ms | record age p50 / p99 ms |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
${costs.join('\n')}

Idle: CPU ms a second. Join, kill: s until every partition is read by its owner (session 10 s). Pause: age in ms of the oldest record read
from partitions that kept their owner, under load / while one joined / after one was killed. Memory: MB.

| metrics x partitions | partitions | created in s | idle reader | idle broker | join | kill | pause | writer, readers, broker |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
${cases.map((one) => changeRow(one, cases[0])).join('\n')}
`
}

function sameLoad(one: CaseFigures | undefined, { lingerMs, fetchEveryMs }: LoadSpec): LoadFigures | undefined {
  return one?.loads.find((load) => load.lingerMs === lingerMs && load.fetchEveryMs === fetchEveryMs)
}

export function costsOf({
  writer,
  members,
  brokerCpuS,
}: Omit<LoadFigures, keyof LoadSpec>): Record<'write' | 'read' | 'broker', number> {
  const written = writer.samples / 1e6
  const read = sum(members.map(({ samples }) => samples)) / 1e6
  const readCpuS = sum(members.map(({ cpuS }) => cpuS))
  return { write: writer.cpuS / written, read: readCpuS / read, broker: brokerCpuS / written }
}

function costRow({ spec }: CaseFigures, load: LoadFigures, baseline: LoadFigures | undefined): string {
  const own = costsOf(load)
  const base = costsOf(baseline ?? load)
  const total = (costs: typeof own): number => costs.write + costs.read + costs.broker
  const cells = [
    nameOf(spec),
    `${load.lingerMs} / ${load.fetchEveryMs}`,
    (load.writer.samples / load.writer.seconds / 1e3).toFixed(0),
    load.writer.touchedPerAppend.toFixed(0),
    ...(['write', 'read', 'broker'] as const).map((what) => withRatio(own[what], base[what], 3)),
    withRatio(total(own), total(base), 3),
    `${load.writer.sendP50Ms.toFixed(0)} / ${load.writer.sendP99Ms.toFixed(0)}`,
    `${most(load.members, 'ageP50Ms')} / ${most(load.members, 'ageP99Ms')}${lossesOf(load)}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function lossesOf({ writer }: LoadFigures): string {
  return writer.failures === 0 ? '' : `; ${writer.failures} appends FAILED`
}

function changeRow(one: CaseFigures, baseline: CaseFigures | undefined): string {
  const idleReader = ({ idle }: CaseFigures): number =>
    (1_000 * sum(idle.members.map(({ cpuS, seconds }) => cpuS / seconds))) / idle.members.length
  const idleBroker = ({ idle }: CaseFigures): number => (1_000 * idle.brokerCpuS) / (idle.members[0]?.seconds ?? 1)
  const base = baseline ?? one
  const last = one.loads[0]
  const megabytes = (bytes: number | undefined): string => ((bytes ?? 0) / 1e6).toFixed(0)
  const readers = last?.members.map(({ residentBytes }) => megabytes(residentBytes)).join(' + ')
  const cells = [
    nameOf(one.spec),
    one.partitions.toLocaleString('en'),
    (one.createMs / 1_000).toFixed(1),
    withRatio(idleReader(one), idleReader(base), 0),
    withRatio(idleBroker(one), idleBroker(base), 0),
    (one.join.tookMs / 1_000).toFixed(1),
    (one.kill.tookMs / 1_000).toFixed(1),
    `${most(last?.members ?? [], 'ageMaxMs')} / ${one.join.ageMaxMs.toFixed(0)} / ${one.kill.ageMaxMs.toFixed(0)}`,
    `${megabytes(last?.writer.residentBytes)}, ${readers}, ${megabytes(one.brokerResidentBytes)}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function withRatio(value: number, base: number, digits: number): string {
  return `${value.toFixed(digits)} (${(value / base).toFixed(2)})`
}

function most(members: readonly MemberFigures[], what: 'ageP50Ms' | 'ageP99Ms' | 'ageMaxMs'): string {
  return members.reduce((largest, member) => Math.max(largest, member[what]), 0).toFixed(0)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
