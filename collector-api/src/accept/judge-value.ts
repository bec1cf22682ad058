/**
 * Whether a value can be taken: a finite number of at most 1e290, so that a minute of them still adds up to a finite one.
 * JSON's 1e999 arrives here as Infinity.
 */
import { valueMax } from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import { shown } from './judge-series.ts'

export function valueReason(value: unknown): RejectReason | null {
  if (typeof value !== 'number') return 'value-not-a-number'
  if (value <= valueMax && value >= -valueMax) return null
  return Number.isFinite(value) ? 'value-too-large' : 'value-not-finite'
}

export function valueDetail(value: unknown): string {
  if (typeof value !== 'number') return `a value must be a number, not ${shown(value)}`
  if (Number.isFinite(value)) return `the value ${value} is beyond ${valueMax}`
  return `the value is ${value}: a number beyond what a 64-bit float holds, or none`
}
