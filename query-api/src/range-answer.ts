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
import { JsonBytes } from './json-bytes.ts'
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
  // Count says where there is no data, whatever else is asked.
  const asked = new Set<Float64Array | Uint32Array>([matrix.count])
  for (const name of aggregations) asked.add(matrix[name === 'avg' ? 'sum' : name])
  for (const column of asked) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
  }
  return `W/"${hash.digest('base64url').slice(0, 22)}"`
}

export function encodeAnswer(answer: RangeAnswer, format: AnswerFormat): Iterable<string | Buffer> {
  switch (format) {
    case 'application/json':
      return jsonPieces(answer)
    case 'application/x-ndjson':
      return ndjsonPieces(answer)
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

/** A line of NDJSON, an item of JSON. */
function writeSeries(out: JsonBytes, { rows, matrix, aggregations }: RangeAnswer, row: number): void {
  const { stepCount } = matrix.range
  out.text(JSON.stringify(identityOf(rows[row] as RangeAnswer['rows'][number])).slice(0, -1))
  for (const name of aggregations) {
    out.text(`,"${name}":`)
    out.numbers(matrix.numbers(name), { at: row * stepCount, count: stepCount })
  }
  out.text('}')
}

/** What JSON takes at first: a small answer shall not cost a large buffer. */
function usualBytesOf({ rows, matrix, aggregations }: RangeAnswer): number {
  return Math.min(1.25 * pieceBytes, 1_024 + rows.length * (256 + aggregations.length * matrix.range.stepCount * 9))
}

function* jsonPieces(answer: RangeAnswer): Generator<Buffer> {
  const out = new JsonBytes(usualBytesOf(answer))
  out.text(`${JSON.stringify(headOf(answer)).slice(0, -1)},"series":[`)
  for (let row = 0; row < answer.rows.length; row++) {
    if (row > 0) out.text(',')
    writeSeries(out, answer, row)
    if (out.length >= pieceBytes) yield out.take()
  }
  out.text(']}')
  yield out.take()
}

function* ndjsonPieces(answer: RangeAnswer): Generator<Buffer> {
  const out = new JsonBytes(usualBytesOf(answer))
  out.text(`${JSON.stringify(headOf(answer))}\n`)
  for (let row = 0; row < answer.rows.length; row++) {
    writeSeries(out, answer, row)
    out.text('\n')
    if (out.length >= pieceBytes) yield out.take()
  }
  if (out.length > 0) yield out.take()
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

/** A write to the socket below this many bytes, or characters, costs more than it carries. */
export const pieceBytes = 131_072
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
