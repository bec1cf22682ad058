/**
 * Metrics of a server grouped into the sections of its page. Host metrics (system.*, process.*, ...) go by topic; whatever
 * else somebody sends belongs to its application, named by the first part of the metric id; an id of one part names none.
 *
 * Each section is cut into batches, each read by one request when it scrolls into view, so that a section of a thousand
 * metrics neither asks for all of them at once nor exceeds what one answer may hold.
 */
import type { MetricEntry } from '@minutely/schema/query-wire'

export interface Metric {
  readonly metricId: string
  readonly labelSets: readonly Readonly<Record<string, string>>[]
  readonly lastSeenMs: number
}

export interface Section {
  readonly id: string
  readonly title: string
  readonly metrics: readonly Metric[]
}

const metricsPerBatchMax = 12
const seriesPerBatchMax = 96
const hostPrefix = /^(system|process|host|hw|node|container)[._]/

/** First match wins: memory pressure is pressure, a process's memory is about processes. */
const topics: readonly { id: string; title: string; pattern: RegExp }[] = [
  { id: 'pressure', title: 'Pressure', pattern: /pressure|[._]psi([._]|$)/ },
  { id: 'processes', title: 'Processes', pattern: /^process[._]|process|thread|file_?descriptor|file_?handle/ },
  { id: 'cpu', title: 'CPU', pattern: /cpu|load|context_switch|interrupt/ },
  { id: 'memory', title: 'Memory', pattern: /memory|paging|swap|hugepage/ },
  { id: 'disk', title: 'Disk', pattern: /disk|filesystem|inode/ },
  { id: 'network', title: 'Network', pattern: /network|socket|tcp|udp/ },
]
const sectionOrder = ['cpu', 'memory', 'disk', 'network', 'pressure', 'processes', 'system']
const otherId = 'app-'
/** What one looks at first comes first; the rest by name. */
const leading = [/utilization/, /load/, /[._]io$/, /usage/]

export function groupSeries(entries: readonly MetricEntry[]): Metric[] {
  const byId = new Map<string, MetricEntry[]>()
  for (const entry of entries) {
    const known = byId.get(entry.metricId)
    if (known === undefined) byId.set(entry.metricId, [entry])
    else known.push(entry)
  }
  return [...byId].map(([metricId, series]) => ({
    metricId,
    labelSets: series.map(({ labels }) => labels),
    lastSeenMs: Math.max(...series.map((one) => one.lastSeenMs)),
  }))
}

export function sectionsOf(metrics: readonly Metric[]): Section[] {
  const sections = new Map<string, { id: string; title: string; metrics: Metric[] }>()
  for (const metric of metrics) {
    const { id, title } = topicOf(metric.metricId)
    const section = sections.get(id) ?? { id, title, metrics: [] }
    section.metrics.push(metric)
    sections.set(id, section)
  }
  for (const section of sections.values())
    section.metrics.sort((a, b) => rank(a.metricId) - rank(b.metricId) || compare(a.metricId, b.metricId))
  return [...sections.values()].sort((a, b) => place(a.id) - place(b.id) || compare(a.title, b.title))
}

export function batchesOf(metrics: readonly Metric[]): Metric[][] {
  const batches: Metric[][] = []
  let series = 0
  for (const metric of metrics) {
    const current = batches.at(-1)
    const fits = current !== undefined && current.length < metricsPerBatchMax
    if (fits && series + metric.labelSets.length <= seriesPerBatchMax) {
      current.push(metric)
      series += metric.labelSets.length
    } else {
      batches.push([metric])
      series = metric.labelSets.length
    }
  }
  return batches
}

/**
 * Every word of the filter is somewhere in the id or the labels. A word with a `*` is a glob as in the API: it has to match
 * the whole id, or the whole value of a label.
 */
export function matchesFilter(metric: Metric, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const text = `${metric.metricId} ${metric.labelSets.map((labels) => Object.entries(labels).join(' ')).join(' ')}`
  const searched = text.toLowerCase()
  const wholes = [metric.metricId, ...metric.labelSets.flatMap((labels) => Object.values(labels))]
  return words.every((word) =>
    word.includes('*') ? wholes.some((whole) => matchesGlob(word, whole.toLowerCase())) : searched.includes(word),
  )
}

/** Each part at its earliest place after the one before: linear, where a regular expression may go back without end. */
export function matchesGlob(glob: string, text: string): boolean {
  const [first = '', ...parts] = glob.split('*')
  const last = parts.pop()
  if (last === undefined) return text === glob
  let at = first.length
  if (!text.startsWith(first)) return false
  for (const part of parts) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}

function topicOf(metricId: string): { id: string; title: string } {
  const id = metricId.toLowerCase()
  if (hostPrefix.test(id))
    return topics.find(({ pattern }) => pattern.test(id)) ?? { id: 'system', title: 'Other host metrics' }
  const [application = metricId, ...rest] = metricId.split(/[._:/]/)
  // No id of an application is empty, so this one is free.
  if (rest.length === 0 || application === '') return { id: otherId, title: 'Other' }
  return { id: `app-${application}`, title: `Application: ${application}` }
}

function rank(metricId: string): number {
  const at = leading.findIndex((pattern) => pattern.test(metricId))
  return at === -1 ? leading.length : at
}

function place(sectionId: string): number {
  if (sectionId === otherId) return sectionOrder.length + 1
  const at = sectionOrder.indexOf(sectionId)
  return at === -1 ? sectionOrder.length : at
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
