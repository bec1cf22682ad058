/** Work one at a time; what is urgent goes before what waits already, each kind in its order. */
interface Job {
  readonly run: () => Promise<void>
}

export class OneAtATime {
  readonly #urgent: Job[] = []
  readonly #patient: Job[] = []
  #running: Promise<void> | undefined

  do<T>(work: () => Promise<T>, { isUrgent }: { readonly isUrgent: boolean }): Promise<T> {
    const done = Promise.withResolvers<T>()
    const run = (): Promise<void> => work().then(done.resolve, done.reject)
    const jobs = isUrgent ? this.#urgent : this.#patient
    jobs.push({ run })
    this.#running ??= this.#runAll()
    return done.promise
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #runAll(): Promise<void> {
    for (;;) {
      const job = this.#urgent.shift() ?? this.#patient.shift()
      if (job === undefined) break
      await job.run()
    }
    this.#running = undefined
  }
}
