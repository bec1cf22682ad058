/** Records that were read but cannot be folded: kept here until the next flush, which lets them go as dead letters first. */
import type { Logger } from '@minutely/lib/logging'
import type { DeadLetters, NewDeadLetter } from '@minutely/lib/sample-log/sample-log'
import type { AggregatorMetrics } from './metrics.ts'

export interface SetAsideDeps {
  readonly deadLetters: DeadLetters
  readonly log: Logger
  readonly metrics: AggregatorMetrics
}

export class SetAside {
  readonly #deps: SetAsideDeps
  readonly #waiting: NewDeadLetter[] = []

  constructor(deps: SetAsideDeps) {
    this.#deps = deps
  }

  add(letter: NewDeadLetter): void {
    this.#waiting.push(letter)
  }

  /** Once more after a crash in between: a dead letter may be there twice, but never not at all. */
  async flush(): Promise<void> {
    const { deadLetters, metrics, log } = this.#deps
    for (let [letter] = this.#waiting; letter !== undefined; [letter] = this.#waiting) {
      await deadLetters.add(letter)
      this.#waiting.shift()
      const { topic, partition, position, reason, detail } = letter
      metrics.deadLetters.inc({ reason })
      log.error({ topic, partition, position, reason, detail }, 'a record of the log is unreadable; it is set aside')
    }
  }
}
