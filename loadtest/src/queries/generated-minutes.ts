/**
 * Minutes of a fleet, made from numbers alone: every minute of every series can be computed again, so answers are checked against no
 * log. Each series is of one of the kinds of values that hosts have, in equal parts; its minutes are whole, 60 seconds each.
 *
 * Peers keep one value a minute: `max`, which has the few digits that a sample has.
 */
import { secondsPerMinute } from '@minutely/schema/limits'

export interface FleetShape {
  readonly servers: number
  readonly metrics: number
  /** A whole hour, ms. */
  readonly fromMs: number
  readonly hours: number
}

export interface GeneratedMinute {
  min: number
  max: number
  sum: number
}

const kinds = ['constant', 'rate', 'gauge', 'memory', 'sparse'] as const

export const toMsOf = ({ fromMs, hours }: FleetShape): number => fromMs + hours * 3_600_000
export const serverIdOf = (server: number): string => `host-${String(server).padStart(5, '0')}`
export const metricIdOf = (metric: number): string =>
  `app_${kinds[metric % kinds.length]}_m${String(metric).padStart(4, '0')}`

/** Into `out`; `minute`: since 1970. */
export function generate(
  series: { readonly server: number; readonly metric: number },
  minute: number,
  out: GeneratedMinute,
): void {
  const { server, metric } = series
  const base = mixed(server * 7_919 + metric * 104_729 + 1)
  const noise = mixed(base ^ minute)
  switch (kinds[metric % kinds.length]) {
    case 'constant':
      out.min = base % 1_000
      out.max = out.min
      out.sum = out.min * secondsPerMinute
      return
    case 'rate':
      out.min = 500 + (noise % 60)
      out.max = 2_499 - ((noise >>> 8) % 60)
      out.sum = 90_000 + (noise >>> 16) - 32_768
      return
    case 'gauge': {
      const low = 5_000 + (base % 3_000) + (noise % 12)
      const high = low + 399 - ((noise >>> 8) % 12)
      out.min = low / 100
      out.max = high / 100
      out.sum = (30 * (low + high) + ((noise >>> 16) % 2_000) - 1_000) / 100
      return
    }
    case 'memory': {
      const pages = (base % 1_000_000) + (noise % 6)
      out.min = 4_096 * pages
      out.max = 4_096 * (pages + 58 - ((noise >>> 8) % 6))
      out.sum = 4_096 * (secondsPerMinute * pages + 1_700 + ((noise >>> 16) % 200))
      return
    }
    default:
      out.min = 0
      out.max = noise % 5 === 0 ? 0 : 1 + ((noise >>> 8) % 9)
      out.sum = out.max === 0 ? 0 : out.max + ((noise >>> 16) % 4)
  }
}

/** A 32-bit integer hash (the finaliser of MurmurHash3), as an unsigned number. */
export function mixed(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
