/**
 * How a metric's numbers are written: three significant digits, a space before the unit. Which unit it is stands in
 * schema/src/metric-unit.ts.
 */
import { type Unit, unitOf } from '@minutely/schema/metric-unit'

export { type Unit, unitOf }

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const decimal = ['', ' k', ' M', ' G', ' T', ' P']

export function formatValue(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  switch (unit) {
    case 'ratio':
      return percent(value * 100)
    case 'percent':
      return percent(value)
    case 'bytes':
      return scaled(value, 1024, binary)
    case 'bytesPerSecond':
      return `${scaled(value, 1024, binary)}/s`
    case 'perSecond':
      return `${magnitude(value)} /s`
    case 'secondsPerSecond':
      return `${duration(value)}/s`
    case 'milliseconds':
      return duration(value / 1000)
    case 'seconds':
      return duration(value)
    case 'celsius':
      return `${digits(value)} °C`
    case 'number':
      return magnitude(value)
  }
}

/** Distances between grid lines that read well in the unit; undefined leaves it to the chart. */
export function increments(unit: Unit): number[] | undefined {
  if (unit === 'bytes' || unit === 'bytesPerSecond') {
    const steps = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    return [0, 1, 2, 3, 4, 5].flatMap((power) => steps.map((step) => step * 1024 ** power))
  }
  if (unit === 'seconds') {
    const below = [-6, -5, -4, -3, -2, -1].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power))
    const days = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((day) => day * 86_400)
    return [...below, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, ...days]
  }
  return undefined
}

/** Two decimals are enough for a share; what is less is said to be less, not zero. */
function percent(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.005) return value < 0 ? '>−0.01 %' : '<0.01 %'
  return Math.abs(value) < 1 ? `${Number(value.toFixed(2))} %` : `${digits(value)} %`
}

function scaled(value: number, base: number, names: readonly string[]): string {
  let [power, rest] = [0, value]
  while (Math.abs(rest) >= base && power < names.length - 1) {
    rest /= base
    power++
  }
  return `${digits(rest)} ${names[power]}`
}

function magnitude(value: number): string {
  if (Math.abs(value) < 10_000) return digits(value)
  let [power, rest] = [0, value]
  while (Math.abs(rest) >= 1000 && power < decimal.length - 1) {
    rest /= 1000
    power++
  }
  return `${digits(rest)}${decimal[power]}`
}

function duration(seconds: number): string {
  const size = Math.abs(seconds)
  if (size === 0) return '0 s'
  if (size < 1e-3) return `${digits(seconds * 1e6)} µs`
  if (size < 1) return `${digits(seconds * 1e3)} ms`
  if (size < 120) return `${digits(seconds)} s`
  if (size < 7200) return `${digits(seconds / 60)} min`
  if (size < 172_800) return `${digits(seconds / 3600)} h`
  return `${digits(seconds / 86_400)} d`
}

/** Three significant digits, but never fewer than the integer part has; no exponent for what people read. */
function digits(value: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2)
  if (size >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}
