/** Decimals as whole numbers: value = number / 10^digits, exactly, with the number at most 2^53 - 1 in magnitude. */
import { digitsMax, powersOfTen } from './hour-block-format.ts'

/** The fewest fractional digits with which the value is a decimal; more than digitsMax for none. */
export function digitsOf(value: number): number {
  let digits = 0
  while (digits <= digitsMax && Number.isNaN(scaled(value, powersOfTen[digits] as number))) digits++
  return digits
}

/** NaN where a value is no decimal of so many digits. */
export function scaledColumn(values: Float64Array, digits: number): Float64Array<ArrayBuffer> {
  const power = powersOfTen[digits] as number
  const numbers = new Float64Array(values.length)
  for (let index = 0; index < values.length; index++) numbers[index] = scaled(values[index] as number, power)
  return numbers
}

function scaled(value: number, power: number): number {
  const number = Math.round(value * power)
  // Minus zero equals zero but is not the same bits.
  if (number === 0) return Object.is(value, 0) ? 0 : Number.NaN
  return number / power === value && Number.isSafeInteger(number) ? number : Number.NaN
}
