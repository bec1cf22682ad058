/**
 * Decimal numbers out of bytes, without a string in between: a value costs about 15 ns here and 150 ns by way of one. What comes out is
 * the double nearest to what is written, always: up to 15 digits are a whole number and a power of ten that both are doubles, whose
 * quotient IEEE 754 rounds once; anything else goes to Number(). Pure.
 */
const zero = 48
const nine = 57
const minus = 45
const plus = 43
const dot = 46
/** Any number of so many digits is a double. */
const digitsMax = 15
const powers = Array.from({ length: digitsMax + 1 }, (_, exponent) => 10 ** exponent)

export class NumberScanner {
  /** The last number that was read. */
  value = 0

  /** Reads one at `at`, before `to`. @returns the index behind it, -1 when there is none. */
  scan(bytes: Uint8Array, at: number, to: number): number {
    const negative = bytes[at] === minus
    const first = negative ? at + 1 : at
    let index = first
    let mantissa = 0
    let digit = index < to ? (bytes[index] as number) : 0
    while (digit >= zero && digit <= nine) {
      mantissa = mantissa * 10 + (digit - zero)
      digit = ++index < to ? (bytes[index] as number) : 0
    }
    let digits = index - first
    if (digits === 0) return -1
    let fraction = 0
    if (digit === dot) {
      const begin = ++index
      digit = index < to ? (bytes[index] as number) : 0
      while (digit >= zero && digit <= nine) {
        mantissa = mantissa * 10 + (digit - zero)
        digit = ++index < to ? (bytes[index] as number) : 0
      }
      fraction = index - begin
      if (fraction === 0) return -1
      digits += fraction
    }
    const isPower = digit === 69 || digit === 101
    if (isPower || digits > digitsMax) return this.#byNumber(bytes, at, isPower ? endOfPower(bytes, index, to) : index)
    const magnitude = fraction === 0 ? mantissa : mantissa / (powers[fraction] as number)
    this.value = negative ? -magnitude : magnitude
    return index
  }

  #byNumber(bytes: Uint8Array, from: number, end: number): number {
    if (end < 0) return -1
    this.value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + from, end - from).toString('latin1'))
    return end
  }
}

/** `at`: of the letter. @returns the index behind its digits, -1 when it has none. */
function endOfPower(bytes: Uint8Array, at: number, to: number): number {
  let index = at + 1
  if (bytes[index] === minus || bytes[index] === plus) index++
  const first = index
  while (index < to && (bytes[index] as number) >= zero && (bytes[index] as number) <= nine) index++
  return index === first ? -1 : index
}
