/**
 * The series of an import: each is judged once, by the same shapes as what the collector takes, and keeps its id of the dictionary. A
 * cache: `clear` costs look-ups only. Its size counts against the importer's memory.
 */
import {
  labels as labelsShape,
  metricId as metricIdShape,
  serverId as serverIdShape,
} from '@minutely/schema/sample-wire'
import { type Labels, seriesKey } from '@minutely/schema/series-identity'
import type { ServerSlots, SlotEntry } from '../series-slots.ts'
import type { Refusal, RefusalReason } from './import-counts.ts'
import type { PointRuns } from './point-runs.ts'

/** An entry with its maps and keys, about. */
const seriesBytes = 700
const shownLengthMax = 100

export interface ImportSeries extends SlotEntry {
  readonly kind: 'series'
  /** Undefined: nothing of it in this batch. */
  runs: PointRuns | undefined
  /** The dictionary says that it was first seen then, or before; ms since the epoch. */
  firstSeenMs: number
}

export type SeriesVerdict = ImportSeries | ({ readonly kind: 'refused' } & Refusal)

export class ImportSeriesTable {
  readonly #tenantId: string
  readonly #servers = new Map<string, ServerSlots>()
  readonly #series = new Map<string, ImportSeries>()
  readonly #verdicts = new Map<string, SeriesVerdict>()
  #clearedCount = 0

  constructor(tenantId: string) {
    this.#tenantId = tenantId
  }

  get bytes(): number {
    return this.#verdicts.size * seriesBytes
  }

  /** How often it was cleared: whoever has kept verdicts lets go of them when it changes. */
  get clearedCount(): number {
    return this.#clearedCount
  }

  clear(): void {
    this.#clearedCount++
    this.#servers.clear()
    this.#series.clear()
    this.#verdicts.clear()
  }

  /** By a file's own words for a series, which say the same whenever they are the same. */
  known(words: string): SeriesVerdict | undefined {
    return this.#verdicts.get(words)
  }

  judge(words: string, sent: { serverId: unknown; metricId: unknown; labels: unknown }): SeriesVerdict {
    const verdict = this.#judge(sent)
    this.#verdicts.set(words, verdict)
    return verdict
  }

  #judge({ serverId, metricId, labels }: { serverId: unknown; metricId: unknown; labels: unknown }): SeriesVerdict {
    const server = serverIdShape.safeParse(serverId)
    if (!server.success) return refused('server-id-invalid', serverId, 'is no name of a server')
    const metric = metricIdShape.safeParse(metricId)
    if (!metric.success) return refused('metric-id-invalid', metricId, 'is no name of a metric')
    const given = labelsShape.safeParse(withoutEmpty(labels ?? {}))
    if (!given.success) {
      const [issue] = given.error.issues
      return refused('labels-invalid', labels, `are no labels: ${[...(issue?.path ?? []), issue?.message].join(': ')}`)
    }
    return this.#entry(server.data, { metricId: metric.data, labels: given.data })
  }

  #entry(serverId: string, series: { metricId: string; labels: Labels }): ImportSeries {
    const key = `${serverId}\u0001${seriesKey(series)}`
    const known = this.#series.get(key)
    if (known !== undefined) return known
    const server = this.#servers.get(serverId) ?? {
      tenantId: this.#tenantId,
      serverId,
      slotByKey: new Map(),
      lists: [],
    }
    this.#servers.set(serverId, server)
    const entry: ImportSeries = {
      kind: 'series',
      server,
      series,
      seriesId: undefined,
      tag: 0,
      lastMinuteMs: 0,
      runs: undefined,
      firstSeenMs: Number.POSITIVE_INFINITY,
    }
    this.#series.set(key, entry)
    return entry
  }
}

function refused(reason: RefusalReason, value: unknown, problem: string): SeriesVerdict {
  const shown = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value)).slice(0, shownLengthMax)
  return { kind: 'refused', reason, detail: `${shown} ${problem}` }
}

/** An empty label says as much as none (as Prometheus has it). */
function withoutEmpty(labels: unknown): unknown {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return labels
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''))
}
