/**
 * Sums that do not depend on order.
 *
 * Float addition of 0.1 and 0.2 does depend on it. But nearly all real metrics are decimals with a few fractional
 * digits: such values are added as scaled integers, exactly, and divided once. The result is the double nearest to
 * the true sum, whatever the order and however the values were split and merged. Values that are no such decimals are
 * added as floats (about 1e-12 relative).
 *
 * A double v counts as k / 10^s when k = round(v * 10^s) and k / 10^s gives v back. For |k| < 2^51 that k is the only
 * one: neighbouring k differ by more than 2^-51 relatively, doubles by less than 2^-52, so a sum can be taken apart
 * again when it is merged. For s = 0 integers are exact up to 2^53. Hence the promise: order and splits do not matter
 * while the magnitudes of a minute's values add up to less than 2^51 in that scale (2^53 for integers).
 */
const digitsMax = 6
const powers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const
const scaledMax = 2 ** 51
const integerMax = 2 ** 53

/** The smallest s <= 6, at least `from`, for which value is a decimal with s fractional digits; -1 if there is none. */
function digitsOf(value: number, from: number): number {
  for (let digits = from; digits <= digitsMax; digits++) {
    const power = powers[digits] as number
    const scaled = Math.round(value * power)
    if (Math.abs(scaled) >= (digits === 0 ? integerMax : scaledMax)) return -1
    if (scaled / power === value) return digits
  }
  return -1
}

/** The sum of two sums (or values), by the rule above. */
export function mergeSums(a: number, b: number): number {
  const digitsA = digitsOf(a, 0)
  const digits = digitsA < 0 ? -1 : digitsOf(b, digitsA)
  if (digits < 0) return a + b
  const power = powers[digits] as number
  const total = Math.round(a * power) + Math.round(b * power)
  return Math.abs(total) < (digits === 0 ? integerMax : scaledMax) ? total / power : a + b
}

/**
 * The sum of the values at [start, start + length) of a row that are not NaN, by the rule above. One pass for integers, and one and
 * a little for decimals: a value with more fractional digits than those before begins the row again with as many.
 */
export function sumRow(values: Float64Array, start: number, length: number): number {
  const end = start + length
  for (let digits = 0; digits >= 0; ) {
    const power = powers[digits] as number
    let scaledSum = 0
    let scaledMagnitude = 0
    let index = start
    for (; index < end; index++) {
      const value = values[index] as number
      if (Number.isNaN(value)) continue
      const scaled = Math.round(value * power)
      if (scaled / power !== value) break
      scaledSum += scaled
      scaledMagnitude += Math.abs(scaled)
    }
    if (index === end) {
      if (scaledMagnitude < (digits === 0 ? integerMax : scaledMax)) return scaledSum / power
      break
    }
    digits = digitsOf(values[index] as number, digits + 1)
  }
  return floatSum(values, start, end)
}

function floatSum(values: Float64Array, start: number, end: number): number {
  let sum = 0
  for (let index = start; index < end; index++) {
    const value = values[index] as number
    if (!Number.isNaN(value)) sum += value
  }
  return sum
}
