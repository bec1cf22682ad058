/**
 * CSV with a header: a point a line, read from the bytes. What names the series (all but time and value) is compared as bytes with what
 * came before; strings are made once a series. Numbers are as in JSON, times numbers or RFC 3339. An empty value is a gap, an empty label is
 * none. Quotes as in RFC 4180, but a line end within quotes ends the line: no label can have one.
 */
import { ByteKeys } from './byte-keys.ts'
import { type CsvColumns, splitCsv } from './csv-header.ts'
import type { SeriesVerdict } from './import-series.ts'
import { type LineParser, type Mapping, type ParseContext, timeToMs, whereOf } from './line-parser.ts'
import { NumberScanner } from './number-scanner.ts'

const quote = 34
/** Between the fields of a key. */
const separator = 0
const keyBytesMin = 4_096

export class CsvLines implements LineParser {
  readonly #context: ParseContext
  readonly #mapping: Mapping
  readonly #columns: CsvColumns
  readonly #delimiter: number
  readonly #scanner = new NumberScanner()
  readonly #keys = new ByteKeys<SeriesVerdict>()
  /** Where the fields of a line begin and end. */
  readonly #from: Int32Array
  readonly #to: Int32Array
  readonly #where = (): string => whereOf(this.#context)
  /** Its verdicts are these keys' too. */
  #cleared = 0
  #key = Buffer.alloc(keyBytesMin)

  constructor(columns: CsvColumns, mapping: Mapping, context: ParseContext) {
    this.#columns = columns
    this.#mapping = mapping
    this.#context = context
    this.#delimiter = mapping.delimiter.charCodeAt(0)
    this.#from = new Int32Array(columns.names.length)
    this.#to = new Int32Array(columns.names.length)
  }

  line(bytes: Buffer, { from, to }: { readonly from: number; readonly to: number }): void {
    const fieldCount = this.#split(bytes, from, to)
    if (fieldCount !== this.#columns.names.length) {
      const detail =
        fieldCount < 0
          ? 'a quote does not end'
          : `it has ${fieldCount} fields, the header ${this.#columns.names.length}`
      return void this.#context.batch.refuse('line-unreadable', detail, { count: 1, where: this.#where() })
    }
    const value = this.#number(bytes, this.#columns.value)
    if (value === undefined) return
    const verdict = this.#series(bytes)
    if (verdict.kind === 'refused') {
      return void this.#context.batch.refuse(verdict.reason, verdict.detail, { count: 1, where: this.#where() })
    }
    this.#context.batch.add(this.#time(bytes), value, { series: verdict, where: this.#where })
  }

  /** @returns how many fields there are, -1 when a quote does not end. */
  #split(bytes: Buffer, from: number, to: number): number {
    const [starts, ends, delimiter] = [this.#from, this.#to, this.#delimiter]
    let count = 0
    let start = from
    for (let at = from; at <= to; at++) {
      if (at < to && bytes[at] === quote && at === start) {
        at = endOfQuotes(bytes, at + 1, to)
        if (at < 0) return -1
      } else if (at === to || bytes[at] === delimiter) {
        if (count < starts.length) {
          starts[count] = start
          ends[count] = at
        }
        count++
        start = at + 1
      }
    }
    return count
  }

  /** NaN for what is no number; undefined for an empty field. */
  #number(bytes: Buffer, column: number): number | undefined {
    let [from, to] = [this.#from[column] as number, this.#to[column] as number]
    if (from < to && bytes[from] === quote) [from, to] = [from + 1, to - 1]
    if (from === to) return undefined
    if (this.#scanner.scan(bytes, from, to) === to) return this.#scanner.value
    const text = bytes.toString('latin1', from, to).trim()
    if (text === '') return undefined
    const infinite = /^[+-]?inf(inity)?$/i.test(text)
    return infinite ? Number.POSITIVE_INFINITY : /^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  }

  /** ms; NaN for what is no time. */
  #time(bytes: Buffer): number {
    const written = this.#number(bytes, this.#columns.time)
    if (written !== undefined && !Number.isNaN(written)) return timeToMs(written, this.#mapping.timeUnit)
    const text = bytes
      .toString('latin1', this.#from[this.#columns.time], this.#to[this.#columns.time])
      .replaceAll('"', '')
      .trim()
    // Without a zone it would be this machine's.
    const isInstant = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i.test(text)
    return isInstant ? Date.parse(text.replace(' ', 'T')) : Number.NaN
  }

  #series(bytes: Buffer): SeriesVerdict {
    const { series } = this.#context
    if (this.#cleared !== series.clearedCount) {
      this.#keys.clear()
      this.#cleared = series.clearedCount
    }
    const length = this.#fillKey(bytes)
    const known = this.#keys.find(this.#key, length)
    if (known !== undefined) return known
    const words = this.#key.toString('latin1', 0, length)
    const verdict = series.known(words) ?? series.judge(words, this.#read(bytes))
    this.#keys.add(this.#key, length, verdict)
    return verdict
  }

  /** All fields but time and value. @returns its bytes. */
  #fillKey(bytes: Buffer): number {
    const { time, value, names } = this.#columns
    const lineBytes = (this.#to[names.length - 1] as number) - (this.#from[0] as number) + names.length
    if (lineBytes > this.#key.length) this.#key = Buffer.alloc(lineBytes * 2)
    const key = this.#key
    let length = 0
    for (let column = 0; column < names.length; column++) {
      if (column === time || column === value) continue
      const to = this.#to[column] as number
      for (let at = this.#from[column] as number; at < to; at++) key[length++] = bytes[at] as number
      key[length++] = separator
    }
    return length
  }

  #read(bytes: Buffer): { serverId: unknown; metricId: unknown; labels: unknown } {
    const { names, server, metric, time, value } = this.#columns
    const text = (column: number): string => {
      const field = bytes.toString('utf8', this.#from[column], this.#to[column])
      return splitCsv(field, this.#mapping.delimiter)[0] ?? ''
    }
    const labels: Record<string, string> = {}
    for (const [column, name] of names.entries()) {
      if (column !== server && column !== metric && column !== time && column !== value) labels[name] = text(column)
    }
    return {
      serverId: (server < 0 ? '' : text(server)) || this.#mapping.serverId,
      metricId: (metric < 0 ? '' : text(metric)) || this.#mapping.metricId,
      labels,
    }
  }
}

/** @returns the index of the quote that ends it, -1 when none does. */
function endOfQuotes(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== quote) continue
    if (at + 1 === to || bytes[at + 1] !== quote) return at
    at++
  }
  return -1
}
