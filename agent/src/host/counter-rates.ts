/**
 * Counters since boot -> rates per second, so that whatever is doubtful becomes a gap and never a spike.
 *
 * Time is a monotonic clock in ms: a step of the wall clock changes no rate. A reading follows another one by
 * `begin(monotonicMs)`; a counter has a rate when it was also in the reading just before, did not go backwards (a reset,
 * a wrap, another device under an old name), and the two readings are 100 ms to elapsedMsMax apart. Closer and the
 * kernel's 10 ms ticks make noise; further (a stall, a suspended laptop) and one second would show the average of many.
 */
const elapsedMsMin = 100

interface Counter {
  count: number
  reading: number
}

export class CounterRates {
  readonly #elapsedMsMax: number
  readonly #counters = new Map<object, Counter>()
  #reading = 0
  #readAtMs = Number.NEGATIVE_INFINITY
  #elapsedS = 0

  constructor(options: { elapsedMsMax: number }) {
    this.#elapsedMsMax = options.elapsedMsMax
  }

  /** Starts the next reading. */
  begin(monotonicMs: number): void {
    const elapsedMs = monotonicMs - this.#readAtMs
    this.#elapsedS = elapsedMs >= elapsedMsMin && elapsedMs <= this.#elapsedMsMax ? elapsedMs / 1000 : 0
    this.#readAtMs = monotonicMs
    this.#reading += 1
    // Devices come and go; what two readings did not mention is forgotten, looked for once a minute.
    if (this.#reading % 60 === 0) this.#forgetUnseen()
  }

  /** `key` names the counter by identity. Undefined is a gap. */
  perSecond(key: object, count: number): number | undefined {
    const counter = this.#counters.get(key)
    if (counter === undefined) {
      this.#counters.set(key, { count, reading: this.#reading })
      return undefined
    }
    const increase = count - counter.count
    const isNext = counter.reading === this.#reading - 1
    counter.count = count
    counter.reading = this.#reading
    return isNext && this.#elapsedS > 0 && increase >= 0 ? increase / this.#elapsedS : undefined
  }

  #forgetUnseen(): void {
    for (const [key, { reading }] of this.#counters) {
      if (reading < this.#reading - 2) this.#counters.delete(key)
    }
  }
}
