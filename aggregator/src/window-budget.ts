/**
 * The memory that all open minutes of the process may take together, bytes. Each partition may use what is free; when
 * the sum is over the bound, those with more than their equal share give minutes out early (minute-window.ts), which
 * is legal because the merge is a set union.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { AggregatorConfig } from './config.ts'
import type { WindowsConfig } from './minute-window.ts'

export class WindowBudget {
  readonly #bytesMax: number
  readonly #used = new Map<object, number>()
  #usedBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Of all partitions together. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** What one partition may hold now. */
  allowance(): number {
    if (this.#usedBytes <= this.#bytesMax) return this.#bytesMax
    return Math.floor(this.#bytesMax / Math.max(1, this.#used.size))
  }

  report(owner: object, bytes: number): void {
    this.#usedBytes += bytes - (this.#used.get(owner) ?? 0)
    this.#used.set(owner, bytes)
  }

  forget(owner: object): void {
    this.report(owner, 0)
    this.#used.delete(owner)
  }
}

/** The bounds of one partition's windows, of which the bytes follow the budget. */
export function windowBounds(config: AggregatorConfig, budget: WindowBudget): WindowsConfig {
  const { lateHoldMs, latenessMs, lateMinutesMax } = config
  return {
    // Those that lateness keeps open are no excess.
    openMinutesMax: config.openMinutesMax + Math.floor(latenessMs / minuteMs),
    lateMinutesMax,
    lateHoldMs,
    get bytesMax() {
      return budget.allowance()
    },
  }
}
