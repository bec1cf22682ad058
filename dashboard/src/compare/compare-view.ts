/**
 * What is compared, in the address: `server` (up to eight, whose place is their colour), `metric` (names or globs) and `by`: a chart per
 * metric with a line per server, or a section per server.
 */
import { linesMax } from '../palette.ts'

export interface CompareView {
  readonly serverIds: readonly string[]
  readonly globs: readonly string[]
  readonly by: 'metric' | 'server'
}

export const serversMax = linesMax
export const globsMax = 20

export function readCompareView(params: URLSearchParams): CompareView {
  const unique = (name: string, max: number) => [...new Set(params.getAll(name).filter(Boolean))].slice(0, max)
  return {
    serverIds: unique('server', serversMax),
    globs: unique('metric', globsMax),
    by: params.get('by') === 'server' ? 'server' : 'metric',
  }
}

export function writeList(params: URLSearchParams, name: 'server' | 'metric', values: readonly string[]): void {
  params.delete(name)
  for (const value of values) params.append(name, value)
}

/** What typed text means: a name or a glob as it is, a part of a name with a star around it. */
export function globsOf(texts: readonly string[], metricIds: ReadonlySet<string>): string[] {
  const globs = texts
    .map((text) => text.trim())
    .filter(Boolean)
    .map((text) => (text.includes('*') || text.includes('.') || metricIds.has(text) ? text : `*${text}*`))
  return [...new Set(globs)]
}

export interface GlobOffer {
  readonly glob: string
  readonly count: number
}

const offersMax = 14

/** What one could begin with: the metrics that share the first parts of their names. */
export function globOffers(metricIds: readonly string[]): GlobOffer[] {
  const counts = new Map<string, number>()
  for (const metricId of metricIds) {
    const parts = metricId.split('.')
    const depth = parts[0] === 'system' ? 2 : 1
    const glob = parts.length > depth ? `${parts.slice(0, depth).join('.')}.*` : metricId
    counts.set(glob, (counts.get(glob) ?? 0) + 1)
  }
  return [...counts].slice(0, offersMax).map(([glob, count]) => ({ glob, count }))
}
