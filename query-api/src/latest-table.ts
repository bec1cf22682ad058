/**
 * Which slot of a table of latest values (read-latest.ts) each series has: a row for each metric and labels, or with `per=server` for each
 * metric, a column for each server.
 */
import type { SummaryPer } from '@minutely/schema/query-wire'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import { compareText, orderedLabels } from './dictionary.ts'

export interface FoundRow {
  series_id: number
  server_id: string
  metric_id: string
  /** JSON: read once for each different one, not once a series. */
  labels: string
}

export interface Table {
  readonly servers: readonly string[]
  readonly groups: readonly (string | null)[] | undefined
  readonly series: readonly SeriesRef[]
  /** Series id -> row * servers.length + server. */
  readonly slotOf: ReadonlyMap<number, number>
}

export interface TableOptions {
  readonly per: SummaryPer
  readonly groupBy: string | undefined
}

const noLabels = '{}'

/** Rows come by server. Of a server whose series say different groups, the first by the alphabet counts. */
export function tableOf(found: readonly FoundRow[], { per, groupBy }: TableOptions): Table {
  const servers: string[] = []
  const groups: (string | null)[] = []
  const groupOf = new GroupNames(groupBy)
  const seriesOf = new SeriesNumbers()
  const places = found.map(({ series_id: seriesId, server_id: serverId, metric_id: metricId, labels }) => {
    if (serverId !== servers.at(-1)) {
      servers.push(serverId)
      groups.push(null)
    }
    const server = servers.length - 1
    const group = groupBy === undefined ? null : groupOf.read(labels)
    if (group !== null && group < (groups[server] ?? '\uffff')) groups[server] = group
    return { seriesId, server, number: seriesOf.numberOf(metricId, per === 'server' ? noLabels : labels) }
  })
  const { series, rankOf } = seriesOf.sorted()
  const slotOf = new Map<number, number>()
  for (const { seriesId, server, number } of places) {
    slotOf.set(seriesId, (rankOf[number] as number) * servers.length + server)
  }
  return { servers, groups: groupBy === undefined ? undefined : groups, series, slotOf }
}

/** A label's value, read once from each different text. */
class GroupNames {
  readonly #label: string | undefined
  readonly #names = new Map<string, string | null>()

  constructor(label: string | undefined) {
    this.#label = label
  }

  read(text: string): string | null {
    let name = this.#names.get(text)
    if (name === undefined) {
      const labels = JSON.parse(text) as Record<string, string>
      name = this.#label !== undefined && Object.hasOwn(labels, this.#label) ? (labels[this.#label] ?? null) : null
      this.#names.set(text, name)
    }
    return name
  }
}

/** The different (metric, labels), numbered as they come. By metric first: a common key would be made anew for each row. */
class SeriesNumbers {
  readonly #numbers = new Map<string, Map<string, number>>()
  readonly #series: SeriesRef[] = []

  numberOf(metricId: string, labels: string): number {
    const ofMetric = this.#numbers.get(metricId) ?? new Map<string, number>()
    const known = ofMetric.get(labels)
    if (known !== undefined) return known
    this.#numbers.set(metricId, ofMetric.set(labels, this.#series.length))
    return this.#series.push({ metricId, labels: orderedLabels(JSON.parse(labels) as Record<string, string>) }) - 1
  }

  /** rankOf: number -> place in `series`. */
  sorted(): { series: SeriesRef[]; rankOf: number[] } {
    const sorted = this.#series
      .map((series, number) => ({ series, number, key: seriesKey(series) }))
      .sort((a, b) => compareText(a.key, b.key))
    const rankOf: number[] = []
    sorted.forEach(({ number }, rank) => {
      rankOf[number] = rank
    })
    return { series: sorted.map(({ series }) => series), rankOf }
  }
}
