/**
 * What every part of a simulated run shares: true time, chance, and the trace. Nothing here waits for a real timer, and nothing
 * draws from another source than the seed, so a seed is one run.
 *
 * Faults happen until faultsUntilMs; then everything works, and must become right.
 */
import { VirtualClock } from '@minutely/lib/clock'
import type { FaultPlan } from './fault-plan.ts'
import { SimRandom } from './sim-random.ts'

/** Just before an hour, as hours are partitions of the table and keys of the ring. */
export const simStartMs = Date.UTC(2027, 0, 15, 9, 57)

export class SimWorld {
  readonly clock = new VirtualClock(simStartMs, { settlesPerTurn: 64 })
  readonly random: SimRandom
  /** What came later draws from a stream of its own. */
  readonly sealRandom: SimRandom
  readonly faults: FaultPlan
  readonly faultsUntilMs: number
  /** Each event changes it: two runs with the same hash did the same. */
  traceHash = 0x811c9dc5
  eventCount = 0
  readonly #noDelay = Promise.resolve()
  readonly #onEvent: ((line: string) => void) | undefined

  constructor(seed: number, faults: FaultPlan, onEvent?: (line: string) => void) {
    this.random = new SimRandom(seed)
    this.sealRandom = new SimRandom(seed ^ 0x5ea1ed)
    this.faults = faults
    this.faultsUntilMs = simStartMs + faults.faultyMs
    this.#onEvent = onEvent
  }

  get nowMs(): number {
    return this.clock.nowMs()
  }

  /** For faults only: never once they are over. */
  chance(probability: number): boolean {
    return this.nowMs < this.faultsUntilMs && this.random.chance(probability)
  }

  delay(durationMs: number): Promise<void> {
    return durationMs > 0 ? this.#sleep(durationMs) : this.#noDelay
  }

  async #sleep(durationMs: number): Promise<void> {
    await this.clock.sleep(durationMs)
  }

  /** Who did what, in one line of the trace. */
  note(who: string, what: string): void {
    this.eventCount++
    const line = `${clockText(this.nowMs)} ${who.padEnd(13)} ${what}`
    for (let at = 0; at < line.length; at++) {
      this.traceHash = Math.imul(this.traceHash ^ line.charCodeAt(at), 0x01000193)
    }
    this.#onEvent?.(line)
  }
}

/** 09:57:12.345 */
export function clockText(instantMs: number): string {
  // A Date does the same in ten times the time.
  const part = (unitMs: number, count: number, digits = 2): string =>
    String(Math.floor(instantMs / unitMs) % count).padStart(digits, '0')
  return `${part(3_600_000, 24)}:${part(60_000, 60)}:${part(1_000, 60)}.${part(1, 1_000, 3)}`
}
