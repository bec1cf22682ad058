/**
 * Latest values on their way out, as JSON (a table of servers), NDJSON or CSV (a line per value), and their ETag.
 */
import { createHash } from 'node:crypto'
import { minuteMs } from '@minutely/schema/limits'
import { unitOf } from '@minutely/schema/metric-unit'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { type AnswerFormat, csvField } from './range-answer.ts'
import type { LatestAnswer } from './read-latest.ts'

export function latestEtag(answer: LatestAnswer, format: AnswerFormat): string {
  const { values, minutesBack, servers, series, ...head } = answer
  const hash = createHash('sha256').update(JSON.stringify([format, head, servers, series]))
  for (const column of [minutesBack, values.count, values.min, values.max, values.sum]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
  }
  return `W/"${hash.digest('base64url').slice(0, 22)}"`
}

export function* encodeLatest(answer: LatestAnswer, format: AnswerFormat): Generator<string> {
  if (format === 'application/json') yield* jsonPieces(answer)
  else if (format === 'text/csv') yield* csvPieces(answer)
  else yield* ndjsonPieces(answer)
}

function headOf({ completeThroughMs, startMs, endMs }: LatestAnswer) {
  return { completeThroughMs, startMs, endMs }
}

function* jsonPieces(answer: LatestAnswer): Generator<string> {
  const { servers, series, values, minutesBack, aggregations } = answer
  yield `${JSON.stringify({ ...headOf(answer), servers }).slice(0, -1)},"series":[`
  for (const [index, { metricId, labels }] of series.entries()) {
    const column = <T>(of: (slot: number) => T): T[] => servers.map((_, server) => of(index * servers.length + server))
    const columns: Record<string, unknown> = { metricId, labels, unit: unitOf(metricId) }
    columns['minutesBack'] = column((slot) => (values.count[slot] === 0 ? null : minutesBack[slot]))
    for (const aggregation of aggregations) columns[aggregation] = column((slot) => values.value(aggregation, slot))
    yield (index === 0 ? '' : ',') + JSON.stringify(columns)
  }
  yield ']}'
}

/** Of each series, server by server; those without a value are left out. */
function* entries(
  answer: LatestAnswer,
): Generator<{ serverId: string; series: SeriesRef; slot: number; timeMs: number }> {
  const { servers, series, values, minutesBack, endMs } = answer
  for (const [index, one] of series.entries()) {
    for (const [server, serverId] of servers.entries()) {
      const slot = index * servers.length + server
      if (values.count[slot] === 0) continue
      yield { serverId, series: one, slot, timeMs: endMs - ((minutesBack[slot] as number) + 1) * minuteMs }
    }
  }
}

function* ndjsonPieces(answer: LatestAnswer): Generator<string> {
  yield `${JSON.stringify(headOf(answer))}\n`
  for (const { serverId, series, slot, timeMs } of entries(answer)) {
    const line: Record<string, unknown> = { serverId, metricId: series.metricId, labels: series.labels, timeMs }
    for (const aggregation of answer.aggregations) line[aggregation] = answer.values.value(aggregation, slot)
    yield `${JSON.stringify(line)}\n`
  }
}

function* csvPieces(answer: LatestAnswer): Generator<string> {
  const { aggregations, values } = answer
  yield `serverId,metricId,labels,timeMs,${aggregations.join(',')}\r\n`
  for (const { serverId, series, slot, timeMs } of entries(answer)) {
    const identity = [serverId, series.metricId, JSON.stringify(series.labels)].map(csvField)
    const numbers = aggregations.map((aggregation) => values.value(aggregation, slot))
    yield `${[...identity, timeMs, ...numbers].join(',')}\r\n`
  }
}
