/** Small sums of the benchmark; pure. */
import { type SendPlan, sampleCount } from './send-plan.ts'

/** The middle one, or between the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = 0, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}

export function sampleShare(count: number, plan: SendPlan): string {
  return `${((100 * count) / sampleCount(plan)).toFixed(1)} %`
}
