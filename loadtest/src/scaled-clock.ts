/**
 * A clock that runs `speed` times as fast as the machine's, from a chosen instant. With it the whole process lives
 * through ten minutes of a fleet in half a minute: same batches, same windows, same lateness, only denser.
 */
import { SystemClock } from '@minutely/lib/clock'

export class ScaledClock extends SystemClock {
  readonly #speed: number
  readonly #startMs: number
  readonly #realStartMs = Date.now()

  constructor(config: { speed: number; startMs: number }) {
    super()
    this.#speed = config.speed
    this.#startMs = config.startMs
  }

  override nowMs(): number {
    return this.#startMs + (Date.now() - this.#realStartMs) * this.#speed
  }

  override schedule(delayMs: number, callback: () => void): () => void {
    return super.schedule(delayMs / this.#speed, callback)
  }
}
