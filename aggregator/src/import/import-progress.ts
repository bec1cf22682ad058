/**
 * How far an import is, for who waits for it: a bar on a terminal, a line every few seconds where there is none. The only file that knows
 * the package of the bar.
 */
import type { Clock } from '@minutely/lib/clock'
import { SingleBar } from 'cli-progress'
import { type ImportTotals, refusedCount } from './import-counts.ts'

const lineEveryMs = 10_000
const barEveryMs = 200

export interface ProgressState {
  /** Raw; total undefined for a pipe. */
  readonly readBytes: number
  readonly totalBytes: number | undefined
  readonly totals: ImportTotals
}

export interface ProgressDeps {
  readonly clock: Clock
  readonly stream: NodeJS.WriteStream
  readonly isTerminal: boolean
}

export class ImportProgress {
  readonly #deps: ProgressDeps
  readonly #name: string
  readonly #bar: SingleBar | undefined
  readonly #startedAtMs: number
  /** When this run began; undefined before the first state. */
  #first: ProgressState | undefined
  #toldAtMs: number
  #waiting = ''

  constructor(name: string, totalBytes: number | undefined, deps: ProgressDeps) {
    this.#deps = deps
    this.#name = name
    this.#startedAtMs = deps.clock.nowMs()
    this.#toldAtMs = this.#startedAtMs
    if (!deps.isTerminal || totalBytes === undefined || totalBytes === 0) return
    this.#bar = new SingleBar({
      stream: deps.stream,
      format: '{bar} {percentage} %  {text}',
      barsize: 24,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      clearOnComplete: true,
      // Ends of the process are not its business.
      gracefulExit: false,
    })
    this.#bar.start(totalBytes, 0, { text: '' })
  }

  /** Live data lags; the next state says that it goes on. */
  wait(lagMs: number): void {
    this.#waiting = `waits: live data is ${Math.round(lagMs / 1_000)} s behind`
    this.#tell(`${this.#name}: ${this.#waiting}`)
    this.#bar?.update({ text: this.#waiting })
  }

  update(state: ProgressState): void {
    this.#first ??= state
    this.#waiting = ''
    const { clock } = this.#deps
    const text = this.#describe(state)
    if (this.#bar !== undefined) {
      if (clock.nowMs() - this.#toldAtMs < barEveryMs) return
      this.#toldAtMs = clock.nowMs()
      this.#bar.update(storedBytesOf(state), { text })
    } else this.#tell(`${this.#name}: ${text}`)
  }

  stop(): void {
    this.#bar?.stop()
  }

  #tell(line: string): void {
    const { clock, stream } = this.#deps
    if (this.#bar !== undefined || clock.nowMs() - this.#toldAtMs < lineEveryMs) return
    this.#toldAtMs = clock.nowMs()
    stream.write(`${line}\n`)
  }

  #describe(state: ProgressState): string {
    const { totalBytes, totals } = state
    const seconds = Math.max(0.001, (this.#deps.clock.nowMs() - this.#startedAtMs) / 1_000)
    const perS = Math.round((doneOf(totals) - doneOf(this.#first?.totals)) / seconds)
    const refused = refusedCount(totals)
    const parts = [`${grouped(doneOf(totals))} points`, `${grouped(perS)}/s`]
    const storedBytes = storedBytesOf(state)
    const newBytes = storedBytes - (this.#first === undefined ? 0 : storedBytesOf(this.#first))
    if (totalBytes !== undefined && newBytes > 0) {
      parts.push(`${Math.ceil(((totalBytes - storedBytes) / newBytes) * seconds)} s left`)
    }
    if (refused > 0) parts.push(`${grouped(refused)} refused`)
    return parts.join(', ')
  }
}

/** Points of which it is known what became of them. */
function doneOf(totals: ImportTotals | undefined): number {
  if (totals === undefined) return 0
  return totals.added + totals.known + totals.duplicate + totals.conflict + refusedCount(totals)
}

/** Reading runs ahead of storing by a batch, and takes a tenth of the time: what is stored counts. */
function storedBytesOf({ readBytes, totals }: ProgressState): number {
  return totals.read === 0 ? readBytes : (readBytes * doneOf(totals)) / totals.read
}

export const grouped = (count: number): string => count.toLocaleString('en-US')
