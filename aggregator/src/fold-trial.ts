/**
 * Folds records in a process of its own, to see whether that survives it; what it folds goes nowhere. Asked only by owners that are
 * careful (crash-guard.ts); the process is started then, serves one batch at a time for all partitions, and ends when it was idle.
 *
 *     here      fork ──────────────> ready ── records ──> survived | exits | no answer in time: killed
 *     child           folds a sound record    └──── the only time in which its end counts ────┘
 *
 * Its end counts as death by the record unless somebody asked it to end (SIGTERM and the like). The time is counted in
 * seconds that this process ran itself, so that a machine that stood still is no hang.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@minutely/lib/clock'
import type { Logger } from '@minutely/lib/logging'
import type { LogRecord } from '@minutely/lib/sample-log/sample-log'

export type TrialOutcome =
  | { readonly kind: 'survived' }
  | { readonly kind: 'died'; readonly how: string }
  /** Nothing was found out: it could not be started, or something stopped it. */
  | { readonly kind: 'untried' }

export interface FoldTrialDeps {
  readonly clock: Clock
  readonly log: Logger
}

const childFile = fileURLToPath(new URL('./fold-trial-main.ts', import.meta.url))
/** A batch of 4 MB takes some 100 ms. */
const answerSecondsMax = 30
const idleMs = 30_000
/** A record that fills memory should end the child before it ends the machine. */
const heapMebibytesMax = 512
const requestedEnds: ReadonlySet<string> = new Set(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'])

/** How a child ended, or `ready` or `survived`, what it says. */
type Event =
  | { readonly kind: 'said'; readonly word: string }
  | { readonly kind: 'ended'; readonly how: string; readonly isRequested: boolean }

export class FoldTrial {
  readonly #deps: FoldTrialDeps
  #child: ChildProcess | undefined
  #previous: Promise<unknown> = Promise.resolve()
  #cancelIdle = (): void => {}

  constructor(deps: FoldTrialDeps) {
    this.#deps = deps
  }

  fold(records: readonly LogRecord[], signal: AbortSignal): Promise<TrialOutcome> {
    const outcome = this.#previous.then(() => this.#fold(records, signal))
    this.#previous = outcome.catch(() => {})
    return outcome
  }

  /** Nobody may be waiting for an outcome any more. */
  stop(): void {
    this.#cancelIdle()
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  async #fold(records: readonly LogRecord[], signal: AbortSignal): Promise<TrialOutcome> {
    if (signal.aborted) return { kind: 'untried' }
    this.#cancelIdle()
    const child = this.#child ?? (await this.#start(signal))
    if (child === undefined) return { kind: 'untried' }
    const readable = records.filter(({ unreadable }) => unreadable === undefined)
    const answer = this.#eventOf(child, signal)
    child.send(readable.map(({ position, appendedAtMs, payload }) => ({ position, appendedAtMs, payload })))
    const event = await answer
    if (event?.kind === 'said') {
      this.#cancelIdle = this.#deps.clock.schedule(idleMs, () => this.stop())
      return { kind: 'survived' }
    }
    this.stop()
    if (signal.aborted || event?.isRequested) return { kind: 'untried' }
    return { kind: 'died', how: event?.how ?? `no answer in ${answerSecondsMax} s` }
  }

  async #start(signal: AbortSignal): Promise<ChildProcess | undefined> {
    const child = fork(childFile, {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${heapMebibytesMax}`],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    // Of a message to one that has just ended, which its end tells as well.
    child.on('error', () => {})
    const event = await this.#eventOf(child, signal)
    if (event?.kind === 'said') return child
    this.stop()
    if (!signal.aborted) {
      const problem = event?.how ?? `it was not ready in ${answerSecondsMax} s`
      this.#deps.log.error(`records cannot be tried in a process of their own, they are folded untried: ${problem}`)
    }
    return undefined
  }

  /** The next one of the child. Undefined when none comes in time, or the signal aborts. */
  async #eventOf(child: ChildProcess, signal: AbortSignal): Promise<Event | undefined> {
    const happened = new AbortController()
    let event: Event | undefined
    const settle = (what: Event): void => {
      event ??= what
      happened.abort()
    }
    const said = (word: unknown): void => settle({ kind: 'said', word: String(word) })
    const exited = (code: number | null, ended: string | null): void => {
      settle({ kind: 'ended', how: ended ?? `exit code ${code}`, isRequested: requestedEnds.has(ended ?? '') })
    }
    const failed = (error: Error): void => settle({ kind: 'ended', how: error.message, isRequested: true })
    child.once('message', said).once('exit', exited).once('error', failed)
    const either = AbortSignal.any([happened.signal, signal])
    for (let second = 0; second < answerSecondsMax && !either.aborted; second++) {
      await this.#deps.clock.sleep(1_000, either)
    }
    child.off('message', said).off('exit', exited).off('error', failed)
    return event
  }
}
