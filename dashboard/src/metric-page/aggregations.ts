/** The aggregations of a step as people choose them. The API's own list is with its zod shapes, which the bundle leaves out. */
import type { Aggregation, SummaryPer } from '@minutely/schema/query-wire'
import type { Unit } from '../unit.ts'

export type { Aggregation, SummaryPer }

export const aggregations: readonly Aggregation[] = ['avg', 'max', 'min', 'sum', 'count']

export const aggregationTexts: Readonly<Record<Aggregation, string>> = {
  avg: 'Average',
  max: 'Maximum',
  min: 'Minimum',
  sum: 'Sum of samples',
  count: 'Number of samples',
}

export function unitBy(by: Aggregation, unit: Unit): Unit {
  return by === 'count' ? 'number' : unit
}
