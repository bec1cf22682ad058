/**
 * Lines that stay, above a table that is drawn anew: in a terminal every second; elsewhere, in a log, once in a while and
 * whenever it is asked for.
 */
import { clockTime } from '../fleet/progress-lines.ts'

const drawEveryMs = 1_000
const printEveryMs = 30_000

export class LiveTable {
  readonly #table: () => readonly string[]
  readonly #out: NodeJS.WriteStream
  #drawn = 0
  #timer: NodeJS.Timeout | undefined

  constructor(table: () => readonly string[], out: NodeJS.WriteStream) {
    this.#table = table
    this.#out = out
  }

  readonly say = (message: string): void => {
    this.#erase()
    this.#out.write(`${clockTime(Date.now())}  ${message}\n`)
    if (this.#out.isTTY && this.#timer !== undefined) this.#draw()
  }

  start(): void {
    const draw = (): void => {
      this.#erase()
      this.#draw()
    }
    this.#timer = setInterval(draw, this.#out.isTTY ? drawEveryMs : printEveryMs)
    this.#timer.unref()
  }

  /** Leaves it as it is then. */
  stop(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#erase()
    this.#draw()
    this.#drawn = 0
  }

  #draw(): void {
    // Some terminals, those of CI among them, say 0.
    const width = this.#out.columns || 80
    const lines = this.#table().map((line) => `  ${line}`.slice(0, this.#out.isTTY ? width : undefined))
    this.#out.write(`${lines.join('\n')}\n`)
    this.#drawn = this.#out.isTTY ? lines.length : 0
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\u001b[${this.#drawn}A\u001b[J`)
    this.#drawn = 0
  }
}
