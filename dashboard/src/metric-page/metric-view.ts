/**
 * What a metric's page shows besides its range, in its address: `by` (which value of a step), `order` and `n` (which servers are lines),
 * `label` (which series; `name:value`, one a name; `label=` alone is: all of them) and `per`.
 *
 * A metric whose series of a server are different things, such as the modes of a CPU, taken together says little. So as long as the
 * address names no label, the one that people look at first is chosen, visibly.
 */
import { type Aggregation, aggregations, type SummaryPer } from './aggregations.ts'

export interface MetricView {
  readonly by: Aggregation
  readonly order: 'top' | 'bottom'
  readonly n: number
  /** By name; undefined: the address says nothing of labels. */
  readonly labels: ReadonlyMap<string, string> | undefined
  readonly per: SummaryPer
}

export const ns = [5, 10, 20, 50] as const
const nDefault = 10

export function readMetricView(params: URLSearchParams): MetricView {
  const labels = params.getAll('label').flatMap((text): [string, string][] => {
    const colon = text.indexOf(':')
    return colon < 1 ? [] : [[text.slice(0, colon), text.slice(colon + 1)]]
  })
  return {
    by: aggregations.find((name) => name === params.get('by')) ?? 'avg',
    order: params.get('order') === 'bottom' ? 'bottom' : 'top',
    n: ns.find((n) => String(n) === params.get('n')) ?? nDefault,
    labels: params.has('label') ? new Map(labels) : undefined,
    per: params.get('per') === 'series' ? 'series' : 'server',
  }
}

export function writeLabels(params: URLSearchParams, labels: ReadonlyMap<string, string>): void {
  params.delete('label')
  for (const [name, value] of labels) params.append('label', `${name}:${value}`)
  if (labels.size === 0) params.set('label', '')
}

/** A label's name and the values that it has. */
export interface Facet {
  readonly name: string
  readonly values: readonly string[]
}

export type Labels = Readonly<Record<string, string>>

/** Labels in which label sets differ, and those that are chosen. */
export function facetsOf(labelSets: readonly Labels[], chosen: ReadonlyMap<string, string>): Facet[] {
  const values = new Map<string, Set<string>>()
  for (const labels of labelSets) {
    for (const [name, value] of Object.entries(labels)) {
      values.set(name, (values.get(name) ?? new Set()).add(value))
    }
  }
  for (const [name, value] of chosen) values.set(name, (values.get(name) ?? new Set()).add(value))
  return [...values]
    .filter(([name, found]) => found.size > 1 || chosen.has(name))
    .map(([name, found]) => ({ name, values: [...found].sort(byNumber) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** What is looked at first, of things that are parts of a whole or directions of a flow. */
const leading = ['user', 'used', 'read', 'receive', 'running']
const parts = /direction|state|mode|status/

export function labelsByDefault(facets: readonly Facet[]): ReadonlyMap<string, string> {
  return new Map(
    facets.flatMap(({ name, values }): [string, string][] => {
      const value = leading.find((one) => values.includes(one))
      return parts.test(name) && value !== undefined ? [[name, value]] : []
    }),
  )
}

/** As the API takes a filter: a star, an exclamation mark and a backslash mean themselves. */
export function labelFilters(labels: ReadonlyMap<string, string>): string[] {
  return [...labels].map(([name, value]) => `${name}:${value.replace(/[*!\\]/g, '\\$&')}`)
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
