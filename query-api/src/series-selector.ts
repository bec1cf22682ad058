/**
 * Which series a question is about: metric names or globs (`*` is any number of characters; none given is all) and
 * label filters (label-filter.ts). The same rule twice, as SQL over the dictionary and in JavaScript over open minutes;
 * series-selector.pg.test.ts holds the two against each other.
 */
import { matchesGlob } from '@minutely/lib/metric-glob'
import { metricIdLengthMax, metricIdPattern } from '@minutely/schema/limits'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { type LabelFilters, labelsSql, matchesLabels, readLabelFilters } from './label-filter.ts'
import { invalid, type Parameters, show } from './parameters.ts'

export interface SeriesSelector {
  /** Empty: every metric. */
  readonly metricGlobs: readonly string[]
  readonly labelFilters: LabelFilters
}

export function readSelector(parameters: Parameters): SeriesSelector {
  const metricGlobs = parameters.list('metricId')
  for (const glob of metricGlobs) {
    // A glob is well-formed when putting a letter in place of each star makes a metric name.
    if (glob.length > metricIdLengthMax || !metricIdPattern.test(glob.replaceAll('*', 'a'))) {
      throw invalid('metricId', `is ${show(glob)}; a metric name matches ${metricIdPattern.source}, * may stand in it`)
    }
  }
  return { metricGlobs, labelFilters: readLabelFilters(parameters) }
}

export function matchesSelector(selector: SeriesSelector, series: SeriesRef): boolean {
  const { metricGlobs, labelFilters } = selector
  if (metricGlobs.length > 0 && !metricGlobs.some((glob) => matchesGlob(glob, series.metricId))) return false
  return matchesLabels(labelFilters, series.labels)
}

/** A condition on table series; appends its values to `values`, whose places it names. */
export function selectorSql(selector: SeriesSelector, values: unknown[]): string {
  const conditions = ['true']
  const place = (value: unknown): string => `$${values.push(value)}`
  const { metricGlobs, labelFilters } = selector
  if (metricGlobs.length > 0) {
    const exact = metricGlobs.filter((glob) => !glob.includes('*'))
    const patterns = metricGlobs.filter((glob) => glob.includes('*')).map(likePattern)
    const alternatives: string[] = []
    if (exact.length > 0) alternatives.push(`metric_id = any(${place(exact)}::text[])`)
    if (patterns.length > 0) alternatives.push(`metric_id like any(${place(patterns)}::text[])`)
    conditions.push(`(${alternatives.join(' or ')})`)
  }
  return [...conditions, ...labelsSql(labelFilters, values)].join(' and ')
}

/** LIKE's own wildcards stand for themselves. */
export function likePattern(glob: string): string {
  return glob.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%')
}
