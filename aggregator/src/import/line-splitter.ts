/**
 * A stream of bytes into its lines, without their ends (LF or CR LF). Lines that lie within one chunk are given out where they are;
 * only one that goes over from chunk to chunk is copied, once. A line longer than lineBytesMax is skipped, and nothing of it is kept.
 * Offsets are bytes since the beginning of the (decompressed) content. Pure.
 */
const newline = 10
const carriageReturn = 13

export interface LineSink {
  /** The bytes are the sink's until it returns. `offset`: where the line begins. */
  line(bytes: Buffer, range: { readonly from: number; readonly to: number }, offset: number): void
  tooLong(bytes: number, offset: number): void
}

export class LineSplitter {
  readonly #lineBytesMax: number
  readonly #sink: LineSink
  readonly #range = { from: 0, to: 0 }
  #parts: Buffer[] = []
  /** Bytes of the line that has no end yet, kept or not. */
  #begunBytes = 0
  #offset: number
  #lines = 0

  /** `offset`: where the first chunk begins. */
  constructor(lineBytesMax: number, sink: LineSink, offset = 0) {
    this.#lineBytesMax = lineBytesMax
    this.#sink = sink
    this.#offset = offset
  }

  /** Everything before it was given out. */
  get offset(): number {
    return this.#offset
  }

  /** Lines that were given out or skipped. */
  get lines(): number {
    return this.#lines
  }

  push(chunk: Buffer): void {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(newline, from)
      if (end < 0) break
      if (this.#begunBytes === 0) this.#give(chunk, from, end)
      else {
        this.#keep(chunk.subarray(from, end))
        this.#giveBegun()
      }
      // The end itself.
      this.#offset++
      from = end + 1
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from))
  }

  /** What comes after the last line end is a line too. */
  end(): void {
    if (this.#begunBytes > 0) this.#giveBegun()
  }

  #keep(part: Buffer): void {
    this.#begunBytes += part.length
    if (this.#begunBytes > this.#lineBytesMax) this.#parts = []
    else this.#parts.push(Buffer.from(part))
  }

  #giveBegun(): void {
    const line = this.#begunBytes > this.#lineBytesMax ? undefined : Buffer.concat(this.#parts)
    const bytes = this.#begunBytes
    this.#parts = []
    this.#begunBytes = 0
    if (line !== undefined) return void this.#give(line, 0, line.length)
    this.#lines++
    this.#sink.tooLong(bytes, this.#offset)
    this.#offset += bytes
  }

  #give(bytes: Buffer, from: number, end: number): void {
    const length = end - from
    this.#lines++
    if (length > this.#lineBytesMax) this.#sink.tooLong(length, this.#offset)
    else {
      this.#range.from = from
      this.#range.to = length > 0 && bytes[end - 1] === carriageReturn ? end - 1 : end
      if (this.#range.to > from) this.#sink.line(bytes, this.#range, this.#offset)
    }
    this.#offset += length
  }
}
