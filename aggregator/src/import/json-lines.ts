/**
 * JSON lines of our own shapes, as they are sent to `POST /v1/samples`, and a sample a line:
 *
 *   {"serverId":"web-1","metricId":"up","labels":{"job":"node"},"value":1,"ts":1700000000000}
 *   {"samples":[{...}, ...]}
 *   {"serverId":"web-1","startMs":1700000000000,"stepMs":1000,"series":[{"metricId":"up","values":[1,null,0.5]}]}
 */
import { secondMs } from '@minutely/schema/limits'
import type { SeriesVerdict } from './import-series.ts'
import { type LineParser, type Mapping, type ParseContext, timeToMs, whereOf } from './line-parser.ts'

type Words = Readonly<Record<string, unknown>>

export class JsonLines implements LineParser {
  readonly #context: ParseContext
  readonly #mapping: Mapping
  readonly #where = (): string => whereOf(this.#context)

  constructor(mapping: Mapping, context: ParseContext) {
    this.#mapping = mapping
    this.#context = context
  }

  line(bytes: Buffer, { from, to }: { readonly from: number; readonly to: number }): void {
    let line: unknown
    try {
      line = JSON.parse(bytes.toString('utf8', from, to))
    } catch (error) {
      return void this.#refuse(1, (error as Error).message)
    }
    if (!isObject(line)) return void this.#refuse(1, 'it is no JSON object')
    if (Array.isArray(line['samples'])) for (const row of line['samples']) this.#row(row)
    else if (Array.isArray(line['series'])) for (const column of line['series']) this.#column(line, column)
    else this.#row(line)
  }

  #row(row: unknown): void {
    if (!isObject(row)) return void this.#refuse(1, 'a sample must be an object')
    const { value, ts } = row
    const verdict = this.#series(row['serverId'] ?? this.#mapping.serverId, row)
    if (verdict.kind === 'refused') return void this.#refuseSeries(verdict, 1)
    const place = { series: verdict, where: this.#where }
    const timeMs = typeof ts === 'number' ? timeToMs(ts, this.#mapping.timeUnit) : Number.NaN
    this.#context.batch.add(timeMs, typeof value === 'number' ? value : Number.NaN, place)
  }

  #column(owner: Words, column: unknown): void {
    const values = isObject(column) ? column['values'] : undefined
    if (!isObject(column) || !Array.isArray(values)) return void this.#refuse(1, 'a series must have an array "values"')
    const count = values.reduce((sum, value) => (value === null ? sum : sum + 1), 0)
    const verdict = this.#series(owner['serverId'] ?? this.#mapping.serverId, column)
    if (verdict.kind === 'refused') return void this.#refuseSeries(verdict, count)
    const startMs = column['startMs'] ?? owner['startMs']
    const stepMs = column['stepMs'] ?? owner['stepMs'] ?? secondMs
    if (typeof startMs !== 'number' || typeof stepMs !== 'number' || !(stepMs >= 1)) {
      const about = { count, where: this.#where() }
      return void this.#context.batch.refuse('time-invalid', 'startMs and stepMs must be numbers, in ms', about)
    }
    const place = { series: verdict, where: this.#where }
    for (const [index, value] of values.entries()) {
      if (value === null) continue
      this.#context.batch.add(startMs + index * stepMs, typeof value === 'number' ? value : Number.NaN, place)
    }
  }

  #series(serverId: unknown, { metricId, labels }: Words): SeriesVerdict {
    // What is no text is refused; it must not be taken for the text that it looks like.
    const isText = typeof serverId === 'string' && typeof metricId === 'string'
    if (!isText)
      return this.#context.series.judge(`\u0002${JSON.stringify([serverId, metricId])}`, { serverId, metricId, labels })
    const words = `${serverId}\u0001${metricId}\u0001${labels === undefined ? '' : JSON.stringify(labels)}`
    return this.#context.series.known(words) ?? this.#context.series.judge(words, { serverId, metricId, labels })
  }

  #refuseSeries(verdict: Extract<SeriesVerdict, { kind: 'refused' }>, count: number): void {
    this.#context.batch.refuse(verdict.reason, verdict.detail, { count, where: this.#where() })
  }

  #refuse(count: number, detail: string): void {
    this.#context.batch.refuse('line-unreadable', detail, { count, where: this.#where() })
  }
}

function isObject(value: unknown): value is Words {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
