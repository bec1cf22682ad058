/**
 * JSON rows, `{"samples":[{"serverId","metricId","labels"?,"value","ts"}]}`: each row judged on its own, then gathered by
 * series. 8 MiB hold up to 140,000 rows of few series, so what a row repeats (server, metric, labels) is judged
 * once: a row's own words make a key that finds the verdict.
 */
import { secondMs } from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import type { Acceptance } from './acceptance.ts'
import { addCells, Cells } from './cell-runs.ts'
import { judgeSeries, serverIdProblem, shown } from './judge-series.ts'
import { timeDetail, timeReason } from './judge-time.ts'
import { valueDetail, valueReason } from './judge-value.ts'
import type { SentPlace } from './rejections.ts'

/** A request has at most 5,000 series by default; a hostile one orders the labels of one in 40,000 ways. */
const verdictsMax = 20_000

interface AcceptedSeries {
  readonly kind: 'accepted'
  readonly serverId: string
  readonly series: SeriesRef
  readonly cells: Cells
}

type RowVerdict = AcceptedSeries | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly detail: string }

interface Gathered {
  readonly acceptance: Acceptance
  readonly samples: readonly unknown[]
  /** Whether they are of more than one server; undefined until somebody has to know. */
  spansServers?: boolean
  /** By a row's own words: labels in another order are another key. */
  readonly verdicts: Map<string, AcceptedSeries>
  /** By server and series. */
  readonly series: Map<string, AcceptedSeries>
}

interface Row {
  readonly serverId?: unknown
  readonly metricId?: unknown
  readonly labels?: unknown
  readonly value?: unknown
  readonly ts?: unknown
}

export function acceptRows(samples: readonly unknown[], acceptance: Acceptance): void {
  const gathered: Gathered = { acceptance, verdicts: new Map(), series: new Map(), samples }
  for (let index = 0; index < samples.length; index++) {
    const sample = samples[index]
    acceptance.rejections.serverId = isRow(sample) ? sample.serverId : undefined
    if (isRow(sample)) {
      acceptRow(sample, index, gathered)
    } else {
      const detail = () => `a sample must be an object like {"serverId","metricId","value","ts"}, not ${shown(sample)}`
      acceptance.rejections.add(undefined, 'series-malformed', { count: 1, place: { list: 'samples', index }, detail })
    }
  }
  for (const owner of gathered.series.values()) addCells({ ...owner, order: 0 }, owner.cells, acceptance.builder)
}

function isRow(sample: unknown): sample is Row {
  return typeof sample === 'object' && sample !== null && !Array.isArray(sample)
}

function acceptRow(row: Row, index: number, gathered: Gathered): void {
  const { acceptance, verdicts } = gathered
  const { rejections, bounds } = acceptance
  const key = rowKey(row)
  let verdict: RowVerdict | undefined = key === null ? undefined : verdicts.get(key)
  if (verdict === undefined) {
    verdict = judgeRow(row, gathered)
    if (key !== null && verdict.kind === 'accepted' && verdicts.size < verdictsMax) verdicts.set(key, verdict)
  }
  if (verdict.kind === 'rejected') {
    const { reason, detail } = verdict
    rejections.add(row.metricId, reason, { count: 1, place: placeOf(row, index, gathered), detail: () => detail })
    return
  }
  const reason = timeReason(row.ts, bounds) ?? valueReason(row.value)
  if (reason === null) {
    acceptance.acceptedCount++
    verdict.cells.add(Math.floor((row.ts as number) / secondMs), row.value as number)
  } else {
    const detail = () => (reason.startsWith('time') ? timeDetail(row.ts, bounds) : valueDetail(row.value))
    rejections.add(row.metricId, reason, { count: 1, place: placeOf(row, index, gathered), detail })
  }
}

/** Names the server only where there is a choice; looked at when something is refused, and then once. */
function placeOf(row: Row, index: number, gathered: Gathered): SentPlace {
  const { samples } = gathered
  gathered.spansServers ??= samples.some((other) => isRow(other) && other.serverId !== row.serverId)
  return { list: 'samples', index, serverId: gathered.spansServers ? row.serverId : undefined }
}

/**
 * Equal keys, equal verdicts: the number of labels and the parts, joined by U+0001. A part with U+0001 in it is never valid, so
 * a key of valid parts cannot be imitated by others: they would have more separators than their number of labels
 * allows. Null when a part is no string.
 */
function rowKey(row: Row): string | null {
  const { serverId, metricId, labels } = row
  if (typeof serverId !== 'string' || typeof metricId !== 'string') return null
  if (labels === undefined) return `0\u0001${serverId}\u0001${metricId}`
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return null
  let key = ''
  let count = 0
  for (const name in labels) {
    const value = (labels as Record<string, unknown>)[name]
    if (typeof value !== 'string') return null
    key += `\u0001${name}\u0001${value}`
    count++
  }
  return `${count}\u0001${serverId}\u0001${metricId}${key}`
}

function judgeRow(row: Row, { acceptance, series }: Gathered): RowVerdict {
  const serverProblem = serverIdProblem(row.serverId)
  if (serverProblem !== null) return { kind: 'rejected', reason: 'server-id-invalid', detail: serverProblem }
  const verdict = judgeSeries(row.metricId, row.labels)
  if (verdict.kind === 'rejected') return verdict
  const serverId = row.serverId as string
  const key = `${serverId}\u0001${seriesKey(verdict.series)}`
  let owner = series.get(key)
  if (owner !== undefined) return owner
  const listed = acceptance.list(serverId, verdict.series)
  if (listed.kind === 'rejected') return listed
  owner = { kind: 'accepted', serverId, series: verdict.series, cells: new Cells() }
  series.set(key, owner)
  return owner
}
