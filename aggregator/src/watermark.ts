/**
 * Trusted time of one partition and what it closes; pure. Instants in ms since the epoch.
 *
 * Only the log's append time moves it, never a host's clock: one host an hour ahead must not close minutes for others.
 * A partition that was read to its end has no records to go by and follows the wall clock, idleSlackMs behind it, so
 * that an append under way at that moment still counts as before.
 *
 *     minute [m, m + 60 s)          closes when trusted >= m + 60 s + lateness
 *   --|-----------------------------|----------|------> trusted time
 *     m                             m + 60 s   + 10 s
 */
import { minuteMs } from '@minutely/schema/limits'

const idleSlackMs = 1_000

export class Watermark {
  readonly #latenessMs: number
  #trustedMs: number

  /** @param resumeMs what was closed already: trusted time starts there again. */
  constructor(config: { latenessMs: number }, resumeMs: number) {
    this.#latenessMs = config.latenessMs
    this.#trustedMs = resumeMs + config.latenessMs
  }

  get trustedMs(): number {
    return this.#trustedMs
  }

  /** Every minute that ends at or before this instant is closed. A whole minute. */
  get closedThroughMs(): number {
    return Math.floor((this.#trustedMs - this.#latenessMs) / minuteMs) * minuteMs
  }

  /** A record was read that the log appended at this instant. */
  observe(appendedAtMs: number): void {
    if (appendedAtMs > this.#trustedMs) this.#trustedMs = appendedAtMs
  }

  /** The partition was read to its end at this instant. */
  observeIdle(nowMs: number): void {
    this.observe(nowMs - idleSlackMs)
  }
}
