/**
 * The newest records of one partition that this process appended itself, in memory and bounded: the aggregator in the same process
 * reads them without asking Postgres for what it has just been given. Only an optimisation: what is not here, or not
 * without a gap, is read from Postgres. Pure.
 *
 * Records enter after their commit, in the order of their positions; another process' appends leave gaps. They come with their sections
 * decoded, as the collector had them, and what counts against the bound is both.
 */
import type { LogRecord } from './sample-log.ts'

export class LogTail {
  readonly #bytesMax: number
  #records: LogRecord[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  push(record: LogRecord): void {
    this.#records.push(record)
    this.#bytes += bytesOf(record)
    let dropped = 0
    while (this.#bytes > this.#bytesMax && dropped < this.#records.length) {
      this.#bytes -= bytesOf(this.#records[dropped++] as LogRecord)
    }
    if (dropped > 0) this.#records.splice(0, dropped)
  }

  /** The record at `position` and those that follow without a gap, up to bytesMax but at least one; empty when it is not here. */
  from(position: number, bytesMax: number): LogRecord[] {
    const start = this.#records.findIndex((record) => record.position === position)
    if (start < 0) return []
    const found: LogRecord[] = []
    let bytes = 0
    for (let index = start; index < this.#records.length; index++) {
      const record = this.#records[index] as LogRecord
      if (record.position !== position + found.length || (found.length > 0 && bytes + record.payload.length > bytesMax))
        break
      found.push(record)
      bytes += record.payload.length
    }
    return found
  }

  /** True when the last record here is the one before `position`: this process has appended nothing after it. */
  endsAt(position: number): boolean {
    return this.#records.at(-1)?.position === position - 1
  }
}

/** Objects of a section. */
const sectionBytes = 1_000

function bytesOf({ payload, sections = [] }: LogRecord): number {
  // Lists may be shared, with the collector's cache and with each other, or each may be one of its own: a stranger decides.
  return sections.reduce(
    (bytes, { series, values }) => bytes + series.byteLength + values.byteLength + sectionBytes,
    payload.length,
  )
}
