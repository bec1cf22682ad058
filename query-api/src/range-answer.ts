/**
 * A range answer on its way out: as JSON, CSV or NDJSON, and its ETag. Text is made a few series at a time while the
 * socket takes it, so that an answer costs its columns (28 bytes a point) and not its text as well.
 *
 * JSON   {"startMs","endMs","stepMs","completeThroughMs","provisionalFromMs","series":[{columns}]}
 * NDJSON the same without `series` as the first line, then a line per series
 * CSV    a line per series and step that has data (RFC 4180, CRLF). Labels are one JSON object in one field. No field
 *        can start with = + - @ or a tab, which a spreadsheet might run as a formula, except numbers: ids start
 *        with a letter, digit or _ (schema/src/limits.ts), labels with {.
 *
 * The ETag is over what the answer says, not over its text: series, columns, steps and how far they are final. A range
 * that is final keeps its ETag while completeThroughMs moves on; hence a weak one.
 */
import { createHash } from 'node:crypto'
import type { Aggregation } from '@minutely/schema/query-wire'
import type { SeriesRef } from '@minutely/schema/series-identity'
import type { StepMatrix } from './step-matrix.ts'
import type { TimeRange } from './time-range.ts'

export interface RangeAnswer {
  readonly range: TimeRange
  readonly completeThroughMs: number
  readonly aggregations: readonly Aggregation[]
  /** Row i of the matrix. */
  readonly rows: readonly (SeriesRef & { readonly serverId?: string })[]
  readonly matrix: StepMatrix
  /** Fields of answers across servers. */
  readonly extra?: { readonly matchedSeriesCount: number; readonly quantiles?: readonly QuantileColumn[] }
  /** Gives the points back to the budget; when the answer is out, or the client gone. */
  release(): void
}

export interface QuantileColumn {
  readonly quantile: number
  readonly avg: readonly (number | null)[]
}

export const answerFormats = ['application/json', 'text/csv', 'application/x-ndjson'] as const
export type AnswerFormat = (typeof answerFormats)[number]

/** Start of the first step that ends after completeThrough; null when all of the range is final. */
export function provisionalFromMs(range: TimeRange, completeThroughMs: number): number | null {
  const { startMs, endMs, stepMs } = range
  const finalSteps = Math.max(0, Math.floor((completeThroughMs - startMs) / stepMs))
  const fromMs = startMs + finalSteps * stepMs
  return fromMs < endMs ? fromMs : null
}

export function etagOf(answer: RangeAnswer, format: AnswerFormat): string {
  const { range, matrix, completeThroughMs, aggregations, rows, extra } = answer
  const hash = createHash('sha256')
  const finalThroughMs = Math.min(completeThroughMs, range.endMs)
  const head = [
    format,
    range.startMs,
    range.endMs,
    range.stepMs,
    finalThroughMs,
    aggregations,
    rows.map(identityOf),
    extra,
  ]
  hash.update(JSON.stringify(head))
  for (const column of [matrix.count, matrix.min, matrix.max, matrix.sum]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
  }
  return `W/"${hash.digest('base64url').slice(0, 22)}"`
}

export function encodeAnswer(answer: RangeAnswer, format: AnswerFormat): Iterable<string> {
  switch (format) {
    case 'application/json':
      return gather(jsonPieces(answer))
    case 'application/x-ndjson':
      return gather(ndjsonPieces(answer))
    case 'text/csv':
      return gather(csvPieces(answer))
  }
}

function headOf(answer: RangeAnswer) {
  const { range, completeThroughMs, extra } = answer
  const { startMs, endMs, stepMs } = range
  return {
    startMs,
    endMs,
    stepMs,
    completeThroughMs,
    provisionalFromMs: provisionalFromMs(range, completeThroughMs),
    ...extra,
  }
}

function identityOf({ serverId, metricId, labels }: RangeAnswer['rows'][number]) {
  return { ...(serverId === undefined ? {} : { serverId }), metricId, labels }
}

function columnsOf(answer: RangeAnswer, row: number): Record<string, unknown> {
  const columns: Record<string, unknown> = identityOf(answer.rows[row] as RangeAnswer['rows'][number])
  for (const aggregation of answer.aggregations) columns[aggregation] = answer.matrix.column(row, aggregation)
  return columns
}

function* jsonPieces(answer: RangeAnswer): Generator<string> {
  yield `${JSON.stringify(headOf(answer)).slice(0, -1)},"series":[`
  for (let row = 0; row < answer.rows.length; row++) {
    yield (row === 0 ? '' : ',') + JSON.stringify(columnsOf(answer, row))
  }
  yield ']}'
}

function* ndjsonPieces(answer: RangeAnswer): Generator<string> {
  yield `${JSON.stringify(headOf(answer))}\n`
  for (let row = 0; row < answer.rows.length; row++) yield `${JSON.stringify(columnsOf(answer, row))}\n`
}

function* csvPieces(answer: RangeAnswer): Generator<string> {
  const { range, matrix, aggregations, rows } = answer
  const withServer = rows.some(({ serverId }) => serverId !== undefined)
  const names = [...(withServer ? ['serverId'] : []), 'metricId', 'labels', 'timeMs', 'provisional', ...aggregations]
  yield `${names.join(',')}\r\n`
  const provisionalMs = provisionalFromMs(range, answer.completeThroughMs) ?? Number.POSITIVE_INFINITY
  for (const [row, { serverId, metricId, labels }] of rows.entries()) {
    const identity = [...(withServer ? [serverId ?? ''] : []), metricId, JSON.stringify(labels)].map(csvField).join(',')
    let lines = ''
    for (let step = 0; step < range.stepCount; step++) {
      const slot = row * range.stepCount + step
      if (matrix.count[slot] === 0) continue
      const timeMs = range.startMs + step * range.stepMs
      lines += `${identity},${timeMs},${timeMs >= provisionalMs}`
      for (const aggregation of aggregations) lines += `,${matrix.value(aggregation, slot)}`
      lines += '\r\n'
    }
    yield lines
  }
}

/** RFC 4180: quoted when it holds a quote, comma or line break; quotes doubled. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A write to the socket below this many characters costs more than it carries. */
const pieceCharactersMin = 65_536

/** Into pieces worth a write. */
export function* gather(pieces: Iterable<string>): Generator<string> {
  let gathered = ''
  for (const piece of pieces) {
    gathered += piece
    if (gathered.length < pieceCharactersMin) continue
    yield gathered
    gathered = ''
  }
  if (gathered !== '') yield gathered
}
