/**
 * Colours of the wall: viridis, which is perceptually even and reads the same with the common kinds of colour blindness. What is high
 * stands out from the ground, so it is bright in the dark theme and dark in the light one; the end that would vanish in the
 * ground is left out. colour-scale.test.ts holds all of that.
 *
 * A *domain* is what the ends of the scale stand for. It comes from quantiles, so that a few outliers do not make all others one colour;
 * values beyond have the colour of the end.
 */
import { interpolateViridis } from 'd3-scale-chromatic'
import { contrast, type Scheme } from '../palette.ts'

export interface Domain {
  readonly low: number
  /** Greater than low. */
  readonly high: number
}

export interface Ramp {
  /** #rrggbb, from low to high. */
  readonly colors: readonly string[]
  /** For text on it: black or white. */
  readonly inks: readonly string[]
}

export const levelCount = 256
/** Where on viridis (0 is dark) low and high are. */
const ends: Readonly<Record<Scheme, readonly [low: number, high: number]>> = { dark: [0.12, 1], light: [0.93, 0] }
/** With fewer servers none is an outlier. */
const quantileCountMin = 50
const [lowQuantile, highQuantile] = [0.02, 0.98]

export const ramps: Readonly<Record<Scheme, Ramp>> = { dark: rampOf('dark'), light: rampOf('light') }

function rampOf(scheme: Scheme): Ramp {
  const [low, high] = ends[scheme]
  const colors = Array.from({ length: levelCount }, (_, level) =>
    interpolateViridis(low + ((high - low) * level) / (levelCount - 1)),
  )
  return {
    colors,
    inks: colors.map((color) => (contrast(color, '#ffffff') > contrast(color, '#000000') ? '#ffffff' : '#000000')),
  }
}

export function levelOf(value: number, { low, high }: Domain): number {
  const share = (value - low) / (high - low)
  return Math.round(Math.min(1, Math.max(0, share)) * (levelCount - 1))
}

/**
 * Of values in ascending order; undefined without any. Its ends are numbers of two or three digits. Where values are shares of a whole, a
 * few of them are shown as such: 0 to the whole.
 */
export function domainOf(sorted: ArrayLike<number>, whole?: number): Domain | undefined {
  const isMany = sorted.length >= quantileCountMin
  const least = quantile(sorted, isMany ? lowQuantile : 0)
  const most = quantile(sorted, isMany ? highQuantile : 1)
  if (least === undefined || most === undefined) return undefined
  const isShare = whole !== undefined && least >= 0 && most <= whole
  if (isShare && (!isMany || least === most)) return { low: 0, high: whole }
  if (least === most) {
    // All the same: in the middle.
    if (least === 0) return { low: 0, high: 1 }
    return least > 0 ? { low: 0, high: 2 * least } : { low: 2 * least, high: 0 }
  }
  const step = 10 ** (Math.floor(Math.log10(most - least)) - 1)
  const low = rounded(Math.floor(least / step), step)
  const high = rounded(Math.ceil(most / step), step)
  // A scale that nearly begins at zero had better begin there.
  return { low: low > 0 && low < (high - low) / 4 ? 0 : low, high }
}

/** How many values lie in each of as many equal parts of the domain; what is beyond counts to the outer ones. */
export function histogramOf(values: Iterable<number>, { low, high }: Domain, partCount: number): number[] {
  const counts = new Array<number>(partCount).fill(0)
  for (const value of values) {
    const part = Math.floor(((value - low) / (high - low)) * partCount)
    const at = Math.min(partCount - 1, Math.max(0, part))
    counts[at] = (counts[at] ?? 0) + 1
  }
  return counts
}

function quantile(sorted: ArrayLike<number>, share: number): number | undefined {
  return sorted[Math.round(share * (sorted.length - 1))]
}

/** 3 x 0.1 is 0.3, not 0.30000000000000004. */
function rounded(count: number, step: number): number {
  return Number((count * step).toPrecision(12))
}
