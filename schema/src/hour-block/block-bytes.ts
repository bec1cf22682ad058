/**
 * The bytes of an hour block, written and read: numbers of variable length, packed bits. The reader believes nothing: what
 * would lie past the end, or be no number that a double holds exactly, is an HourBlockError that says where.
 *
 *   unsigned   7 bits a byte, least significant first, top bit = more follows; at most 2^53 - 1
 *   signed     2 x |v| + (v < 0 ? 1 : 0), written as an unsigned
 *   packed     numbers of the same width, bit after bit, least significant first in each byte, zeros up to the next byte
 */

/** Thrown for bytes that are no hour block this release can read; `message` says what and where. Never retry. */
export class HourBlockError extends Error {
  override readonly name = 'HourBlockError'
}

/** Of a whole block: twice what an hour of random doubles takes. */
export const hourBlockBytesMax = 4_096
/** 2 x (2^53 - 1) + 1 has 54 bits. */
const numberBytesMax = 8
/** What 32 bits hold beside up to 7 bits of a neighbour: of one load, and of what is held back while writing. */
const loadBits = 25
const pieceBits = 24

export class BlockWriter {
  readonly bytes: Buffer
  #at = 0

  constructor(size: number) {
    this.bytes = Buffer.alloc(size)
  }

  get isFull(): boolean {
    return this.#at === this.bytes.length
  }

  byte(value: number): void {
    this.bytes[this.#at++] = value
  }

  word(value: number): void {
    this.#at = this.bytes.writeUInt32BE(value >>> 0, this.#at)
  }

  double(value: number): void {
    this.#at = this.bytes.writeDoubleLE(value, this.#at)
  }

  unsigned(value: number): void {
    while (value >= 128) {
      this.byte((value % 128) + 128)
      value = Math.floor(value / 128)
    }
    this.byte(value)
  }

  signed(value: number): void {
    const magnitude = Math.abs(value)
    const rest = Math.floor(magnitude / 64)
    // In two parts, because twice the magnitude may not be exact.
    this.byte((magnitude % 64) * 2 + (value < 0 ? 1 : 0) + (rest > 0 ? 128 : 0))
    if (rest > 0) this.unsigned(rest)
  }

  packed(values: Float64Array, width: number): void {
    let held = 0
    let heldBits = 0
    for (const value of values) {
      let rest = value
      for (let left = width; left > 0; left -= pieceBits) {
        const bits = Math.min(left, pieceBits)
        held |= (rest % 2 ** bits) << heldBits
        rest = Math.floor(rest / 2 ** bits)
        for (heldBits += bits; heldBits >= 8; heldBits -= 8) {
          this.byte(held & 0xff)
          held >>>= 8
        }
      }
    }
    if (heldBits > 0) this.byte(held)
  }
}

export function unsignedBytes(value: number): number {
  let bytes = 1
  for (; value >= 128; value = Math.floor(value / 128)) bytes++
  return bytes
}

export function signedBytes(value: number): number {
  const rest = Math.floor(Math.abs(value) / 64)
  return rest === 0 ? 1 : 1 + unsignedBytes(rest)
}

export const packedBytes = (count: number, width: number): number => Math.ceil((count * width) / 8)

/** What is read is copied into a buffer of the reader's own: it has room behind the end, and is always the same object. */
export class BlockReader {
  readonly #bytes = new Uint8Array(hourBlockBytesMax + 4)
  readonly #view = new DataView(this.#bytes.buffer)
  #length = 0
  #at = 0

  /** @throws HourBlockError when there are more bytes than a block ever has. */
  begin(bytes: Uint8Array): void {
    if (bytes.length > hourBlockBytesMax) {
      throw new HourBlockError(`${bytes.length} bytes are no hour block, which has at most ${hourBlockBytesMax}`)
    }
    this.#bytes.set(bytes)
    this.#length = bytes.length
    this.#at = 0
  }

  /** @throws HourBlockError when something follows. */
  end(): void {
    const left = this.#length - this.#at
    if (left > 0) throw new HourBlockError(`${left} bytes follow the end of the block at byte ${this.#at}`)
  }

  /** Says what is wrong with what was read last. */
  refuse(problem: string): never {
    throw new HourBlockError(`${problem} (before byte ${this.#at} of ${this.#length})`)
  }

  byte(): number {
    return this.#bytes[this.#take(1)] as number
  }

  word(): number {
    return this.#view.getUint32(this.#take(4))
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }

  unsigned(): number {
    return this.#number(0, 0)
  }

  signed(): number {
    const first = this.byte()
    const low = (first & 0x7f) >>> 1
    const magnitude = first < 128 ? low : this.#number(1, low)
    return (first & 1) === 1 ? 0 - magnitude : magnitude
  }

  /** The numbers into out[outAt ...], which must have room for `count`. */
  packed(width: number, count: number, { out, outAt }: PackedTarget): void {
    const size = packedBytes(count, width)
    const start = this.#take(size) * 8
    let bit = start
    if (width <= loadBits) {
      const mask = 2 ** width - 1
      for (let index = outAt; index < outAt + count; index++, bit += width) {
        out[index] = (this.#view.getUint32(bit >>> 3, true) >>> (bit & 7)) & mask
      }
    } else {
      for (let index = outAt; index < outAt + count; index++, bit += width) out[index] = this.#wide(bit, width)
    }
    const spareBits = start + size * 8 - bit
    if (spareBits > 0 && (this.#bytes[this.#at - 1] as number) >>> (8 - spareBits) !== 0) {
      this.refuse(`bits are set past the last of ${count} packed numbers`)
    }
  }

  #wide(bit: number, width: number): number {
    let value = 0
    for (let done = 0; done < width; done += loadBits) {
      const at = bit + done
      const mask = 2 ** Math.min(loadBits, width - done) - 1
      value += ((this.#view.getUint32(at >>> 3, true) >>> (at & 7)) & mask) * 2 ** done
    }
    return value
  }

  /** @param bytes that were read of it. @param value what they hold. */
  #number(bytes: number, value: number): number {
    for (let scale = bytes === 0 ? 1 : 64; bytes < numberBytesMax; bytes++, scale *= 128) {
      const next = this.byte()
      value += (next & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER) this.refuse('a number is beyond 2^53')
      if (next < 128) return value
    }
    return this.refuse(`a number is longer than ${numberBytesMax} bytes`)
  }

  /** Where they begin. */
  #take(size: number): number {
    const at = this.#at
    if (size > this.#length - at) {
      throw new HourBlockError(
        `the block ends early: ${size} bytes are needed at byte ${at}, ${this.#length - at} are there`,
      )
    }
    this.#at = at + size
    return at
  }
}

interface PackedTarget {
  readonly out: Float64Array
  readonly outAt: number
}
