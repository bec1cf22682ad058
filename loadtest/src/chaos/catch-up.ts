/**
 * How fast minutes are completed after a server was away: log-minutes per minute of real time, from the instant the server is
 * back until readers are told that minutes are complete as usual. Pure; instants are ms since the epoch.
 *
 *   complete through ────────┐ outage            ┌──── as usual: a minute, the lateness and a little behind
 *                            └───────────────────┤
 *                                              back   caught up
 */
export interface CaughtUp {
  /** What was behind when the server was back, ms of the log. */
  readonly behindMs: number
  readonly tookMs: number
  /** Log-minutes completed in a minute. */
  readonly speed: number
}

/** Less behind than this is as usual: up to 70 s, and the time until a reader asks. */
const usualLagMs = 90_000
/** A short outage leaves nothing to measure. */
const behindMsMin = 180_000

export class CatchUp {
  readonly results: CaughtUp[] = []
  #completeThroughMs = 0
  #begun: { readonly backMs: number; readonly fromMs: number } | undefined

  /** Catching up, and not there yet. */
  get isBehind(): boolean {
    return this.#begun !== undefined
  }

  serverIsBack(nowMs: number): void {
    const fromMs = this.#completeThroughMs
    if (fromMs > 0 && nowMs - fromMs >= behindMsMin) this.#begun ??= { backMs: nowMs, fromMs }
  }

  observe(nowMs: number, completeThroughMs: number): void {
    this.#completeThroughMs = completeThroughMs
    if (this.#begun === undefined || nowMs - completeThroughMs >= usualLagMs) return
    const { backMs, fromMs } = this.#begun
    const tookMs = Math.max(1, nowMs - backMs)
    this.results.push({ behindMs: backMs - fromMs, tookMs, speed: (completeThroughMs - fromMs) / tookMs })
    this.#begun = undefined
  }
}
