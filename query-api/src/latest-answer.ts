/**
 * Latest values on their way out, as JSON (a table of servers), NDJSON or CSV (a line per value), and their ETag.
 */
import { createHash } from 'node:crypto'
import { minuteMs } from '@minutely/schema/limits'
import { unitOf } from '@minutely/schema/metric-unit'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { JsonBytes } from './json-bytes.ts'
import { type AnswerFormat, csvField, gather, pieceBytes } from './range-answer.ts'
import type { LatestAnswer } from './read-latest.ts'

export function latestEtag(answer: LatestAnswer, format: AnswerFormat): string {
  const { values, minutesBack, servers, groups, series, ...head } = answer
  const hash = createHash('sha256').update(JSON.stringify([format, head, servers, groups, series]))
  for (const column of [minutesBack, values.count, values.min, values.max, values.sum]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
  }
  return `W/"${hash.digest('base64url').slice(0, 22)}"`
}

export function encodeLatest(answer: LatestAnswer, format: AnswerFormat): Iterable<string | Buffer> {
  if (format === 'application/json') return jsonPieces(answer)
  return gather(format === 'text/csv' ? csvPieces(answer) : ndjsonPieces(answer))
}

function headOf({ completeThroughMs, startMs, endMs }: LatestAnswer) {
  return { completeThroughMs, startMs, endMs }
}

function* jsonPieces(answer: LatestAnswer): Generator<Buffer> {
  const { servers, groups, series, values, minutesBack, aggregations } = answer
  const out = new JsonBytes(Math.min(pieceBytes, 1_024 + servers.length * 32))
  out.text(`${JSON.stringify({ ...headOf(answer), servers, groups }).slice(0, -1)},"series":[`)
  for (const [index, { metricId, labels }] of series.entries()) {
    const slots = { at: index * servers.length, count: servers.length }
    const identity = JSON.stringify({ metricId, labels, unit: unitOf(metricId) })
    out.text(`${index === 0 ? '' : ','}${identity.slice(0, -1)},"minutesBack":`)
    out.numbers({ values: minutesBack, counts: values.count, divided: false }, slots)
    for (const aggregation of aggregations) {
      out.text(`,"${aggregation}":`)
      out.numbers(values.numbers(aggregation), slots)
    }
    out.text('}')
    if (out.length >= pieceBytes) yield out.take()
  }
  out.text(']}')
  yield out.take()
}

/** Of each series, server by server; those without a value are left out. */
function* entries(
  answer: LatestAnswer,
): Generator<{ serverId: string; group: string | null; series: SeriesRef; slot: number; timeMs: number }> {
  const { servers, groups, series, values, minutesBack, endMs } = answer
  for (const [index, one] of series.entries()) {
    for (const [server, serverId] of servers.entries()) {
      const slot = index * servers.length + server
      if (values.count[slot] === 0) continue
      const group = groups?.[server] ?? null
      yield { serverId, group, series: one, slot, timeMs: endMs - ((minutesBack[slot] as number) + 1) * minuteMs }
    }
  }
}

function* ndjsonPieces(answer: LatestAnswer): Generator<string> {
  yield `${JSON.stringify(headOf(answer))}\n`
  for (const { serverId, group, series, slot, timeMs } of entries(answer)) {
    const line: Record<string, unknown> = { serverId, metricId: series.metricId, labels: series.labels, timeMs }
    if (answer.groups !== undefined) line['group'] = group
    for (const aggregation of answer.aggregations) line[aggregation] = answer.values.value(aggregation, slot)
    yield `${JSON.stringify(line)}\n`
  }
}

function* csvPieces(answer: LatestAnswer): Generator<string> {
  const { aggregations, groups, values } = answer
  const isGrouped = groups !== undefined
  yield `serverId,metricId,labels,timeMs,${[...aggregations, ...(isGrouped ? ['group'] : [])].join(',')}\r\n`
  for (const { serverId, group, series, slot, timeMs } of entries(answer)) {
    const identity = [serverId, series.metricId, JSON.stringify(series.labels)].map(csvField)
    const numbers = aggregations.map((aggregation) => values.value(aggregation, slot))
    yield `${[...identity, timeMs, ...numbers, ...(isGrouped ? [csvField(group ?? '')] : [])].join(',')}\r\n`
  }
}
