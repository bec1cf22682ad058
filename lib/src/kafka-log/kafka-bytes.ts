/**
 * Big-endian numbers, strings and zig-zag varints of Kafka's protocol, to and from buffers. 64-bit integers are plain
 * numbers here: offsets and instants stay far below 2^53. A reader throws RangeError past the end of its bytes.
 */
const sizeAtFirst = 256

export class ByteWriter {
  #bytes: Buffer
  #length = 0

  /** Room for so many bytes at first; it grows. */
  constructor(size = sizeAtFirst) {
    this.#bytes = Buffer.allocUnsafe(size)
  }

  /** What was written; not a copy. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  int8(value: number): this {
    const at = this.#reserve(1)
    this.#bytes.writeInt8(value, at)
    return this
  }

  int16(value: number): this {
    const at = this.#reserve(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#reserve(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: number): this {
    const at = this.#reserve(8)
    this.#bytes.writeInt32BE(Math.floor(value / 2 ** 32), at)
    this.#bytes.writeUInt32BE(value >>> 0, at + 4)
    return this
  }

  /** A string of protocol messages: 16-bit length first, -1 for null. */
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    return this.int16(Buffer.byteLength(value)).text(value)
  }

  /** As UTF-8, without its length. */
  text(value: string): this {
    const at = this.#reserve(Buffer.byteLength(value))
    this.#bytes.write(value, at, 'utf8')
    return this
  }

  /** A whole number of 32 bits, as records have it. */
  varint(value: number): this {
    let left = ((value << 1) ^ (value >> 31)) >>> 0
    while (left > 0x7f) {
      this.#byte((left & 0x7f) | 0x80)
      left >>>= 7
    }
    this.#byte(left)
    return this
  }

  raw(value: Uint8Array): this {
    const at = this.#reserve(value.length)
    this.#bytes.set(value, at)
    return this
  }

  #byte(value: number): void {
    const at = this.#reserve(1)
    this.#bytes[at] = value
  }

  #reserve(size: number): number {
    const at = this.#length
    this.#length += size
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    return at
  }
}

/** How many bytes ByteWriter.varint takes. */
export function varintBytes(value: number): number {
  const zigZag = ((value << 1) ^ (value >> 31)) >>> 0
  let bytes = 1
  for (let left = zigZag >>> 7; left > 0; left >>>= 7) bytes++
  return bytes
}

export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  int8(): number {
    return this.#bytes.readInt8(this.#advance(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4))
  }

  int64(): number {
    const at = this.#advance(8)
    return this.#bytes.readInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4)
  }

  string(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.raw(length).toString('utf8')
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#advance(1))
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    throw new RangeError('a varint of more than 5 bytes')
  }

  /** Of up to 64 bits, whose value nobody wants. */
  skipVarlong(): void {
    for (let count = 0; count < 10; count++) {
      if (this.#bytes.readUInt8(this.#advance(1)) < 0x80) return
    }
    throw new RangeError('a varlong of more than 10 bytes')
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    if (length < 0) throw new RangeError(`${length} bytes`)
    const at = this.#advance(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** An array of protocol messages: 32-bit count first, -1 for null. */
  array<T>(read: () => T): T[] {
    const count = this.int32()
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read())
    return items
  }

  #advance(size: number): number {
    const at = this.#at
    if (at + size > this.#bytes.length) throw new RangeError(`${size} bytes at ${at} of ${this.#bytes.length}`)
    this.#at = at + size
    return at
  }
}
