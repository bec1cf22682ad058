/**
 * Gathers questions of the same kind while the last ones are under way, and asks them together: thousands of partitions
 * that are resumed or committed at the same time cost a few requests. A later question for the same key replaces the former,
 * and both get its answer.
 *
 * At most one question for each key waits, so what waits is bounded by the number of partitions.
 */
export class Gatherer<V, R> {
  readonly #work: (values: ReadonlyMap<string, V>) => Promise<ReadonlyMap<string, () => R>>
  #waiting = new Map<string, { value: V; readonly answer: PromiseWithResolvers<R> }>()
  #isWorking = false

  /** `work` answers each key with a function that returns or throws; a key without an answer fails. */
  constructor(work: (values: ReadonlyMap<string, V>) => Promise<ReadonlyMap<string, () => R>>) {
    this.#work = work
  }

  ask(key: string, value: V): Promise<R> {
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined) {
      waiting.value = value
      return waiting.answer.promise
    }
    const answer = Promise.withResolvers<R>()
    this.#waiting.set(key, { value, answer })
    if (!this.#isWorking) {
      this.#isWorking = true
      // What else is asked in this turn comes along.
      queueMicrotask(() => void this.#run())
    }
    return answer.promise
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const asked = this.#waiting
      this.#waiting = new Map()
      try {
        const answers = await this.#work(new Map([...asked].map(([key, { value }]) => [key, value])))
        for (const [key, { answer }] of asked) settle(answer, key, answers.get(key))
      } catch (error) {
        for (const { answer } of asked.values()) answer.reject(error)
      }
    }
    this.#isWorking = false
  }
}

function settle<R>(answer: PromiseWithResolvers<R>, key: string, result: (() => R) | undefined): void {
  try {
    if (result === undefined) throw new Error(`there was no answer for ${key}`)
    answer.resolve(result())
  } catch (error) {
    answer.reject(error)
  }
}
