/**
 * VictoriaMetrics' `/api/v1/export`: a line for each series, or part of one,
 *
 *   {"metric":{"__name__":"up","instance":"web-1","job":"node"},"values":[1,null,0.5],"timestamps":[1700000000000,...]}
 *
 * times in ms. Lines as it writes them are read from the bytes, which takes a fifth of the time of JSON.parse; any other that is JSON of
 * this shape goes through that. null is a gap (it writes NaN so), "Infinity" and its like are refused as values.
 */
import type { SeriesVerdict } from './import-series.ts'
import { type LineParser, type Mapping, type ParseContext, whereOf } from './line-parser.ts'
import { NumberScanner } from './number-scanner.ts'
import { serverOf } from './server-label.ts'

const head = Buffer.from('{"metric":{')
const beforeValues = Buffer.from('},"values":[')
const beforeTimes = Buffer.from('],"timestamps":[')
const tail = Buffer.from(']}')
const nothing = Buffer.from('null')
const comma = 44
const quote = 34
const backslash = 92
const closingBrace = 125

interface Line {
  readonly metric?: unknown
  readonly values?: unknown
  readonly timestamps?: unknown
}

export class VictoriaLines implements LineParser {
  readonly #context: ParseContext
  readonly #mapping: Mapping
  readonly #scanner = new NumberScanner()
  #values: Float64Array = new Float64Array(8_192)
  #times: Float64Array = new Float64Array(8_192)
  #count = 0

  constructor(mapping: Mapping, context: ParseContext) {
    this.#mapping = mapping
    this.#context = context
  }

  line(bytes: Buffer, { from, to }: { readonly from: number; readonly to: number }): void {
    const metricEnd = startsAt(bytes, from, head) ? this.#scanLine(bytes, from, to) : -1
    if (metricEnd < 0) return void this.#parseLine(bytes.toString('utf8', from, to))
    const words = bytes.toString('latin1', from + head.length - 1, metricEnd)
    const known = this.#context.series.known(words)
    this.#add(known ?? this.#judge(words, readObject(bytes.toString('utf8', from + head.length - 1, metricEnd))))
  }

  /** @returns the index behind the metric; -1 when the line is not as VictoriaMetrics writes it. */
  #scanLine(bytes: Buffer, from: number, to: number): number {
    const metricEnd = endOfFlatObject(bytes, from + head.length, to)
    if (metricEnd < 0 || !startsAt(bytes, metricEnd - 1, beforeValues)) return -1
    let at = this.#scanNumbers(bytes, metricEnd - 1 + beforeValues.length, to, 'values')
    const valueCount = this.#count
    if (at < 0 || !startsAt(bytes, at, beforeTimes)) return -1
    at = this.#scanNumbers(bytes, at + beforeTimes.length, to, 'times')
    if (at < 0 || this.#count !== valueCount || at + tail.length !== to || !startsAt(bytes, at, tail)) return -1
    return metricEnd
  }

  /** @returns the index of the bracket behind them, -1 for anything else than numbers and nulls. */
  #scanNumbers(bytes: Buffer, from: number, to: number, kind: 'values' | 'times'): number {
    const scanner = this.#scanner
    let target = kind === 'values' ? this.#values : this.#times
    let count = 0
    for (let at = from; at < to; ) {
      if (count === target.length) target = this.#grow(kind)
      let next = scanner.scan(bytes, at, to)
      if (next < 0) {
        if (kind === 'times' || !startsAt(bytes, at, nothing)) return -1
        next = at + nothing.length
        target[count++] = Number.NaN
      } else target[count++] = scanner.value
      if (bytes[next] !== comma) {
        this.#count = count
        return next
      }
      at = next + 1
    }
    return -1
  }

  #grow(kind: 'values' | 'times'): Float64Array {
    const before = kind === 'values' ? this.#values : this.#times
    const grown = new Float64Array(before.length * 2)
    grown.set(before)
    if (kind === 'values') this.#values = grown
    else this.#times = grown
    return grown
  }

  #parseLine(text: string): void {
    const line = readObject(text) as Line | undefined
    const { metric, values, timestamps } = line ?? {}
    if (!Array.isArray(values) || !Array.isArray(timestamps) || typeof metric !== 'object' || metric === null) {
      return void this.#refuseLine('it is not {"metric":{},"values":[],"timestamps":[]}')
    }
    if (values.length !== timestamps.length) {
      return void this.#refuseLine(`it has ${values.length} values and ${timestamps.length} timestamps`)
    }
    if (values.length > this.#values.length) {
      this.#values = new Float64Array(values.length)
      this.#times = new Float64Array(values.length)
    }
    this.#count = values.length
    for (let index = 0; index < values.length; index++) {
      this.#values[index] = numberOf(values[index])
      this.#times[index] = typeof timestamps[index] === 'number' ? timestamps[index] : Number.NaN
    }
    // Other words than those of a line that is read from its bytes.
    const words = `\u0002${JSON.stringify(metric)}`
    this.#add(this.#context.series.known(words) ?? this.#judge(words, metric))
  }

  #judge(words: string, metric: unknown): SeriesVerdict {
    const { __name__: metricId, ...others } = (metric ?? {}) as Record<string, unknown>
    const { serverId, labels } = serverOf(others, this.#mapping)
    return this.#context.series.judge(words, { serverId, metricId, labels })
  }

  #add(verdict: SeriesVerdict): void {
    const where = (): string => whereOf(this.#context)
    const { batch } = this.#context
    if (verdict.kind === 'series') {
      return void batch.addAll(this.#times, this.#values, this.#count, { series: verdict, where })
    }
    batch.refuse(verdict.reason, verdict.detail, { count: this.#countValues(), where: where() })
  }

  #countValues(): number {
    let count = 0
    for (let index = 0; index < this.#count; index++) if (!Number.isNaN(this.#values[index])) count++
    return count
  }

  #refuseLine(detail: string): void {
    this.#context.batch.refuse('line-unreadable', detail, { count: 1, where: whereOf(this.#context) })
  }
}

/** Anything that is no number and no gap is refused as not finite. */
function numberOf(written: unknown): number {
  if (typeof written === 'number') return written
  return written === null || written === 'NaN' ? Number.NaN : Number.POSITIVE_INFINITY
}

function startsAt(bytes: Buffer, at: number, wanted: Buffer): boolean {
  if (at + wanted.length > bytes.length) return false
  for (let index = 0; index < wanted.length; index++) if (bytes[at + index] !== wanted[index]) return false
  return true
}

/** Of an object of strings. @returns the index behind its brace, -1 when it does not end. */
function endOfFlatObject(bytes: Buffer, from: number, to: number): number {
  let isWithin = false
  for (let at = from; at < to; at++) {
    const byte = bytes[at]
    if (byte === backslash) at++
    else if (byte === quote) isWithin = !isWithin
    else if (byte === closingBrace && !isWithin) return at + 1
  }
  return -1
}

function readObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
