/**
 * JSON as bytes, where most of it is numbers: what JSON.stringify writes, to the byte, at a fraction of its cost for decimals of few
 * digits. Written into pieces of some size; a piece that is full is handed out and never touched again.
 *
 * A decimal of at most 15 digits that reads as a double is the shortest that does: no two of them are the same double. So where value x
 * 10^d is whole (and comes back by division), those digits are what the language writes; other numbers are left to it.
 */

/** Of a number that the language writes: -1.2345678901234567e-300. */
const numberBytesMax = 25
const digitsMax = 6
const powers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const
/** Above it digits are no longer unique. */
const wholeMax = 1e15
const [zero, minus, point, comma, opening, closing] = [48, 45, 46, 44, 91, 93]

export interface NumberColumn {
  readonly values: Float64Array | Uint32Array | Uint8Array
  readonly counts: Uint32Array
  readonly divided: boolean
}

export class JsonBytes {
  #bytes: Buffer
  #at = 0
  /** Fractional digits of the number before: neighbours mostly have the same. */
  #digits = 0

  /** @param usualBytes of a piece; it grows if need be. */
  constructor(usualBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(usualBytes)
  }

  get length(): number {
    return this.#at
  }

  /** What was written since the last time. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#at)
    this.#bytes = this.#bytes.subarray(this.#at)
    this.#at = 0
    return taken
  }

  text(text: string): void {
    this.#reserve(text.length * 3)
    this.#at += this.#bytes.write(text, this.#at)
  }

  /** An array of numbers: values[at, at + count), null where counts is 0 there. `divided`: each by its count. */
  numbers(
    { values, counts, divided }: NumberColumn,
    { at, count }: { readonly at: number; readonly count: number },
  ): void {
    this.#reserve(2 + count * (numberBytesMax + 1))
    const bytes = this.#bytes
    let out = this.#at
    let digits = this.#digits
    bytes[out++] = opening
    for (let slot = at; slot < at + count; slot++) {
      if (slot > at) bytes[out++] = comma
      const samples = counts[slot] as number
      if (samples === 0) {
        out = putText(bytes, out, 'null')
        continue
      }
      const value = divided ? (values[slot] as number) / samples : (values[slot] as number)
      let whole = Math.round(value * (powers[digits] as number))
      if (!isDecimal(value, whole, digits)) {
        digits = digitsOf(value)
        whole = Math.round(value * (powers[digits] as number))
        if (!isDecimal(value, whole, digits)) {
          out = putText(bytes, out, Number.isFinite(value) ? String(value) : 'null')
          continue
        }
      }
      out = putDecimal(bytes, out, { whole, digits })
    }
    bytes[out++] = closing
    this.#at = out
    this.#digits = digits
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    // A piece that begins behind another one gets room of its own, of the same size.
    const size = this.#at === 0 ? this.#bytes.buffer.byteLength : 2 * this.#bytes.length
    const larger = Buffer.allocUnsafeSlow(Math.max(size, this.#at + bytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

const isDecimal = (value: number, whole: number, digits: number): boolean =>
  whole / (powers[digits] as number) === value && whole < wholeMax && whole > -wholeMax

/** The fewest with which it is a decimal; digitsMax, too, when it is none. */
function digitsOf(value: number): number {
  const most = powers[digitsMax] as number
  // What has fewer digits is whole with the most; beyond this bound that cannot be told.
  const isSmall = value < wholeMax / most && value > -wholeMax / most
  if (isSmall && !isDecimal(value, Math.round(value * most), digitsMax)) return digitsMax
  let digits = 0
  while (digits < digitsMax && !isDecimal(value, Math.round(value * (powers[digits] as number)), digits)) digits++
  return digits
}

/** ASCII. @returns where it ends. */
function putText(bytes: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
  return at + text.length
}

/** whole / 10^digits, without zeros at its end. @returns where it ends. */
function putDecimal(
  bytes: Uint8Array,
  at: number,
  number: { readonly whole: number; readonly digits: number },
): number {
  const { whole, digits } = number
  let rest = whole
  if (rest < 0) {
    bytes[at++] = minus
    rest = -rest
  }
  if (digits === 0) return putWhole(bytes, at, rest)
  const power = powers[digits] as number
  const units = Math.floor(rest / power)
  let fraction = (rest - units * power) | 0
  at = putWhole(bytes, at, units)
  if (fraction === 0) return at
  let places = digits
  for (let tens = (fraction / 10) | 0; tens * 10 === fraction; tens = (fraction / 10) | 0) {
    fraction = tens
    places--
  }
  bytes[at] = point
  putDigits(bytes, at + 1, { value: fraction, places })
  return at + 1 + places
}

function putWhole(bytes: Uint8Array, at: number, value: number): number {
  if (value < 1e9) return putSmall(bytes, at, value | 0)
  const upper = Math.floor(value / 1e9)
  at = putSmall(bytes, at, upper | 0)
  putDigits(bytes, at, { value: (value - upper * 1e9) | 0, places: 9 })
  return at + 9
}

/** Below 10^9. */
function putSmall(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = zero + value
    return at + 1
  }
  let places = 2
  for (let bound = 100; value >= bound; bound *= 10) places++
  putDigits(bytes, at, { value, places })
  return at + places
}

function putDigits(bytes: Uint8Array, at: number, { value, places }: { value: number; places: number }): void {
  let rest = value
  for (let place = at + places - 1; place >= at; place--) {
    const tens = (rest / 10) | 0
    bytes[place] = zero + rest - tens * 10
    rest = tens
  }
}
