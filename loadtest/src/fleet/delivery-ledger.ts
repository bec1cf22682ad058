/**
 * What became of every batch of a generated fleet: tried, acknowledged, refused. A checker needs nothing else, because the
 * values can be computed again.
 *
 * A batch is a *cell*: 15 s of all metrics of one host, so a minute has four, numbered 0 to 3 from its start. A set of a
 * minute's cells is a mask of 4 bits. Acknowledged ⊆ seen ⊆ attempted, each as such a mask. Instants are ms since the epoch.
 */
import { cellMs, cellsPerMinute } from '../load-plan.ts'

export const minuteMs = cellMs * cellsPerMinute

/** Of such a mask. */
export function cellCountOf(mask: number): number {
  return Array.from({ length: cellsPerMinute }, (_, cell) => (mask >> cell) & 1).reduce((sum, bit) => sum + bit, 0)
}

interface Delivery {
  /** Of the first try's first byte. */
  readonly attemptedAtMs: number
  /** Of the 202. */
  acknowledgedAtMs: number | undefined
}

export interface LedgerTotals {
  /** Batches, by what became of them; `unknown` were tried and neither acknowledged nor refused. */
  readonly acknowledged: number
  readonly refused: number
  readonly unknown: number
  /** Tries that were answered otherwise or not at all, by what came: a status, or an error's code. */
  readonly failedTries: Readonly<Record<string, number>>
  /** Seconds of the wall clock in which a try failed, and those of them in which nothing was acknowledged either. */
  readonly troubledSeconds: number
  readonly unavailableSeconds: number
}

export class DeliveryLedger {
  /** Host -> start of the cell -> its delivery. */
  readonly #deliveries = new Map<number, Map<number, Delivery>>()
  readonly #failedTries = new Map<string, number>()
  readonly #refusals: string[] = []
  /** Seconds since the epoch, of a run at most. */
  readonly #failedSeconds = new Set<number>()
  readonly #acknowledgedSeconds = new Set<number>()
  #acknowledged = 0
  #attempted = 0

  attempt(host: number, cellStartMs: number, { nowMs }: { nowMs: number }): void {
    const cells = this.#deliveries.get(host) ?? new Map<number, Delivery>()
    this.#deliveries.set(host, cells)
    if (cells.has(cellStartMs)) return
    cells.set(cellStartMs, { attemptedAtMs: nowMs, acknowledgedAtMs: undefined })
    this.#attempted++
  }

  acknowledge(host: number, cellStartMs: number, { nowMs }: { nowMs: number }): void {
    const delivery = this.#deliveries.get(host)?.get(cellStartMs)
    if (delivery === undefined || delivery.acknowledgedAtMs !== undefined) return
    delivery.acknowledgedAtMs = nowMs
    this.#acknowledgedSeconds.add(Math.floor(nowMs / 1_000))
    this.#acknowledged++
  }

  /** The collector will never take it, or took a part only. */
  refuse(reason: string): void {
    this.#refusals.push(reason)
  }

  /** It will be sent again. */
  fail(reason: string, { nowMs }: { nowMs: number }): void {
    this.#failedSeconds.add(Math.floor(nowMs / 1_000))
    this.#failedTries.set(reason, (this.#failedTries.get(reason) ?? 0) + 1)
  }

  /** Of batches and parts of batches: one line each. A fleet that is well has none. */
  get refusals(): readonly string[] {
    return this.#refusals
  }

  totals(): LedgerTotals {
    const refused = this.#refusals.length
    return {
      acknowledged: this.#acknowledged,
      refused,
      unknown: this.#attempted - this.#acknowledged - refused,
      failedTries: Object.fromEntries(this.#failedTries),
      troubledSeconds: this.#failedSeconds.size,
      unavailableSeconds: this.#failedSeconds.difference(this.#acknowledgedSeconds).size,
    }
  }

  /** Which of the minute's cells had been acknowledged before an instant. */
  acknowledgedCells(host: number, minute: number, { beforeMs }: { beforeMs: number }): number {
    return this.#mask(host, minute, ({ acknowledgedAtMs }) => (acknowledgedAtMs ?? Number.POSITIVE_INFINITY) < beforeMs)
  }

  /** Which of them may have reached the log by then. */
  attemptedCells(host: number, minute: number, { beforeMs }: { beforeMs: number }): number {
    return this.#mask(host, minute, ({ attemptedAtMs }) => attemptedAtMs <= beforeMs)
  }

  #mask(host: number, minute: number, isIn: (delivery: Delivery) => boolean): number {
    const cells = this.#deliveries.get(host)
    let mask = 0
    for (let cell = 0; cell < cellsPerMinute; cell++) {
      const delivery = cells?.get(minute + cell * cellMs)
      if (delivery !== undefined && isIn(delivery)) mask |= 1 << cell
    }
    return mask
  }
}
