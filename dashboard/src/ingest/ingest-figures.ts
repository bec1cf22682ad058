/** What the page says of an answer, as numbers and words. Pure. Rates are per second, of closed minutes. */
import type { IngestAnswer } from '@minutely/schema/ingest-wire'

type Slots = readonly (number | null)[]

export interface Figures {
  /** Samples a second in the newest final step that has a report; undefined while there is none. */
  readonly ratePerS: number | undefined
  readonly accepted: number
  readonly rejected: number
  readonly late: number
  readonly conflicting: number
  readonly refusedRequests: number
}

export function figuresOf(answer: IngestAnswer): Figures {
  const { startMs, stepMs, accepted, late, conflicting, completeThroughMs } = answer
  const finalSlots = Math.max(0, Math.floor((completeThroughMs - startMs) / stepMs))
  const newest = accepted.slice(0, finalSlots).findLast((count) => count !== null)
  return {
    ratePerS: newest === undefined || newest === null ? undefined : newest / (stepMs / 1000),
    accepted: sumOf(accepted),
    rejected: answer.rejected.reduce((sum, { total }) => sum + total, 0),
    late: sumOf(late),
    conflicting: sumOf(conflicting),
    refusedRequests: answer.requests.reduce((sum, { total }) => sum + total, 0),
  }
}

/** So many in each `perMs`. */
export function ratesOf(counts: Slots, stepMs: number, perMs: number): (number | null)[] {
  return counts.map((count) => (count === null ? null : (count * perMs) / stepMs))
}

/** 10 to 70 s are as it should be: a minute closes 10 s after its end. Until this nobody need look. */
export const lagMsMax = 100_000

export type Health = 'unknown' | 'good' | 'warn' | 'bad'

export interface Verdict {
  readonly health: Health
  readonly text: string
}

/** The worst first. */
export function verdictOf(answer: IngestAnswer): Verdict {
  const { rejected, accepted, refusedRequests, conflicting } = figuresOf(answer)
  const lagMs = answer.lag.worstMs ?? 0
  if (answer.logGapCount > 0) return { health: 'bad', text: 'Samples were lost before they were read' }
  if (lagMs > lagMsMax) return { health: 'bad', text: 'Minutes close late' }
  if (rejected > 0) return { health: 'warn', text: 'Some samples were refused' }
  if (refusedRequests > 0) return { health: 'warn', text: 'Some requests were refused' }
  if (conflicting > 0) return { health: 'warn', text: 'Some seconds came with two values' }
  if (accepted === 0) return { health: 'unknown', text: 'Nothing came in' }
  return { health: 'good', text: 'All that came was taken' }
}

export function sumOf(counts: Slots): number {
  let sum = 0
  for (const count of counts) sum += count ?? 0
  return sum
}

/** 1,234,567 */
export function countText(count: number): string {
  return count.toLocaleString('en-GB')
}

/** Of all that was judged: "0.03 %". */
export function shareText(part: number, whole: number): string {
  if (whole === 0) return ''
  const percent = (part / whole) * 100
  return percent < 0.01 ? '<0.01 %' : `${Number(percent.toPrecision(2))} %`
}
