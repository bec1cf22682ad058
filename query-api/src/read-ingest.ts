/**
 * `GET /v1/ingest`: the samples that collectors and aggregators stored about their ingest (schema/src/ingest-names.ts), added up, and how
 * far each partition is now. Steps add up exactly: a sample is a count. Instants are ms since the epoch.
 *
 * Names in them were bounded by whoever wrote them; a reason, an outcome or a host that is not known here (a newer version's) is
 * left out. Open minutes are not merged in, as in read-metric.ts.
 */
import { ingestMetrics, ingestServerId, otherHosts } from '@minutely/schema/ingest-names'
import type { IngestAnswer } from '@minutely/schema/ingest-wire'
import { type RejectReason, rejectReasons } from '@minutely/schema/sample-wire'
import type { StoredSeries } from './dictionary.ts'
import { provisionalFromMs } from './range-answer.ts'
import { assertPointsFit, tooManySeries } from './range-limits.ts'
import { type MetricDeps, readMatrix } from './read-metric.ts'
import type { StepMatrix } from './step-matrix.ts'
import type { StoreSession } from './store-session.ts'
import type { TimeRange } from './time-range.ts'

const partitionsMax = 20
const hostsMax = 100
const selector = { metricGlobs: Object.values(ingestMetrics), labelFilters: new Map() }

export async function readIngest(range: TimeRange, nowMs: number, deps: MetricDeps): Promise<IngestAnswer> {
  const { session, config, budget } = deps
  const storedThroughMs = await session.completeThroughMs()
  const seriesMax = Math.min(config.summarySeriesMax, config.pointsMax)
  const found = await session.findSeries({ serverId: ingestServerId, selector, limit: seriesMax + 1 })
  if (found.series.length > seriesMax) throw tooManySeries(found.series.length, seriesMax)
  const series = await seenIn(range, found.series, deps)
  assertPointsFit(series.length, range, config)
  const giveBack = budget.take(series.length * range.stepCount)
  try {
    const matrix = await readMatrix(series, range, deps)
    const completeThroughMs = Math.min(storedThroughMs, found.completeThroughMs)
    const { startMs, endMs, stepMs } = range
    return {
      startMs,
      endMs,
      stepMs,
      completeThroughMs,
      provisionalFromMs: provisionalFromMs(range, completeThroughMs),
      nowMs,
      lag: await readLag(nowMs, session),
      logGapCount: await countGaps(range, session),
      ...addUp(series, matrix),
    }
  } finally {
    giveBack()
  }
}

/** Hosts and collectors come and go, and their series stay: of many only those that have something in the range. */
async function seenIn(
  { startMs, endMs, stepCount }: TimeRange,
  series: readonly StoredSeries[],
  deps: MetricDeps,
): Promise<readonly StoredSeries[]> {
  if (series.length * stepCount <= deps.config.pointsMax) return series
  const giveBack = deps.budget.take(series.length)
  try {
    const whole = await readMatrix(series, { startMs, endMs, stepMs: endMs - startMs, stepCount: 1 }, deps)
    return series.filter((_, row) => whole.count[row] !== 0)
  } finally {
    giveBack()
  }
}

type Row = Readonly<Record<string, string>>

/** Sums of the rows that have the same name, each with what it has in the range. */
class Groups {
  readonly #columns = new Map<string, (number | null)[]>()

  add(name: string, values: readonly (number | null)[]): void {
    const column = this.#columns.get(name)
    if (column === undefined) {
      this.#columns.set(name, [...values])
      return
    }
    values.forEach((value, step) => {
      if (value !== null) column[step] = (column[step] ?? 0) + value
    })
  }

  /** Those that have any, most first. */
  list(): { name: string; total: number; counts: (number | null)[] }[] {
    return [...this.#columns]
      .map(([name, counts]) => ({ name, total: sumOf(counts), counts }))
      .filter(({ total }) => total > 0)
      .sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1))
  }

  column(name: string, stepCount: number): (number | null)[] {
    return this.#columns.get(name) ?? Array.from({ length: stepCount }, () => null)
  }
}

type Added = Pick<
  IngestAnswer,
  'accepted' | 'late' | 'conflicting' | 'lagSeconds' | 'rejected' | 'requests' | 'hosts' | 'sources'
>

function addUp(rows: readonly StoredSeries[], matrix: StepMatrix): Added {
  const { stepCount } = matrix.range
  const [outcomes, reasons, errors] = [new Groups(), new Groups(), new Groups()]
  const hosts = new HostList(matrix.range)
  const sources = new SourceList(matrix.range)
  const lagSeconds: (number | null)[] = Array.from({ length: stepCount }, () => null)
  for (const [row, { metricId, labels }] of rows.entries()) {
    const { outcome = '', reason = '', error = '' } = labels as Row
    if (metricId === ingestMetrics.lag) {
      matrix.column(row, 'max').forEach((value, step) => {
        if (value !== null) lagSeconds[step] = Math.max(lagSeconds[step] ?? 0, value)
      })
      continue
    }
    const counts = matrix.column(row, 'sum')
    if (metricId === ingestMetrics.requests) errors.add(error, counts)
    else if (outcome !== 'rejected') outcomes.add(outcome, counts)
    else if (isReason(reason)) {
      reasons.add(reason, counts)
      hosts.add(labels as Row, reason, counts)
    }
    sources.add(labels as Row, metricId === ingestMetrics.requests ? 'requests' : outcome, counts)
  }
  return {
    accepted: outcomes.column('accepted', stepCount),
    late: outcomes.column('late', stepCount),
    conflicting: outcomes.column('conflicting', stepCount),
    lagSeconds,
    rejected: reasons.list().map(({ name, ...rest }) => ({ reason: name as RejectReason, ...rest })),
    requests: errors.list().map(({ name, ...rest }) => ({ error: name, ...rest })),
    hosts: hosts.list(),
    sources: sources.list(),
  }
}

class HostList {
  readonly #range: TimeRange
  readonly #hosts = new Map<string, { total: number; lastMs: number; reasons: Map<RejectReason, number> }>()

  constructor(range: TimeRange) {
    this.#range = range
  }

  add({ host = otherHosts }: Row, reason: RejectReason, counts: readonly (number | null)[]): void {
    const total = sumOf(counts)
    if (total === 0) return
    const known = this.#hosts.get(host) ?? { total: 0, lastMs: 0, reasons: new Map() }
    this.#hosts.set(host, known)
    known.total += total
    known.lastMs = Math.max(known.lastMs, lastMsOf(counts, this.#range))
    known.reasons.set(reason, (known.reasons.get(reason) ?? 0) + total)
  }

  list(): IngestAnswer['hosts'] {
    return [...this.#hosts]
      .sort(([a, one], [b, other]) => other.total - one.total || (a < b ? -1 : 1))
      .slice(0, hostsMax)
      .map(([host, { total, lastMs, reasons }]) => ({
        host,
        total,
        lastMs,
        reasons: [...reasons].sort(([, a], [, b]) => b - a).map(([reason, of]) => ({ reason, total: of })),
      }))
  }
}

type Source = IngestAnswer['sources'][number]

class SourceList {
  readonly #range: TimeRange
  readonly #sources = new Map<string, Source>()

  constructor(range: TimeRange) {
    this.#range = range
  }

  add({ source = '' }: Row, of: string, counts: readonly (number | null)[]): void {
    if (!counts.some((count) => count !== null)) return
    const none = { source, lastMs: 0, accepted: 0, rejected: 0, late: 0, conflicting: 0, requests: 0 }
    const known = this.#sources.get(source) ?? none
    this.#sources.set(source, known)
    known.lastMs = Math.max(known.lastMs, lastMsOf(counts, this.#range, 0))
    if (isCounted(of)) known[of] += sumOf(counts)
  }

  list(): Source[] {
    return [...this.#sources.values()].sort((a, b) => (a.source < b.source ? -1 : 1))
  }
}

const counted = ['accepted', 'rejected', 'late', 'conflicting', 'requests'] as const
const isCounted = (name: string): name is (typeof counted)[number] => (counted as readonly string[]).includes(name)
const isReason = (name: string): name is RejectReason => (rejectReasons as readonly string[]).includes(name)

function sumOf(counts: readonly (number | null)[]): number {
  let total = 0
  for (const count of counts) total += count ?? 0
  return total
}

/** Start of the last step with at least so many. */
function lastMsOf(counts: readonly (number | null)[], { startMs, stepMs }: TimeRange, atLeast = 1): number {
  const step = counts.findLastIndex((count) => count !== null && count >= atLeast)
  return startMs + Math.max(0, step) * stepMs
}

async function readLag(nowMs: number, { client }: StoreSession): Promise<IngestAnswer['lag']> {
  const { rows } = await client.query<{ topic: string; partition: number; at: Date; n: number }>(
    `select topic, partition, complete_through_at as at, (count(*) over ())::integer as n
     from partition_progress order by complete_through_at, topic, partition limit $1`,
    [partitionsMax],
  )
  const partitions = rows.map(({ topic, partition, at }) => {
    const completeThroughMs = at.getTime()
    return { topic, partition, completeThroughMs, lagMs: Math.max(0, nowMs - completeThroughMs) }
  })
  return { partitionCount: rows[0]?.n ?? 0, worstMs: partitions[0]?.lagMs ?? null, partitions }
}

async function countGaps({ startMs, endMs }: TimeRange, { client }: StoreSession): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    'select count(*)::integer as n from log_gap where noticed_at >= $1 and noticed_at < $2',
    [new Date(startMs), new Date(endMs)],
  )
  return rows[0]?.n ?? 0
}
