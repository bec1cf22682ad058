/**
 * Keeps the processes of a fleet running, as a supervisor would: starts again what ended, as often as it takes. A fault takes a
 * process for itself, so that no other fault breaks it meanwhile and its end is no surprise, and gives it back running.
 *
 * A process that ends although nobody took it is a problem of the verdict: none of the faults is a reason to die. Only a start may
 * be given up, when what it needs is away for longer than it waits.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ServiceProcess } from '../fleet/service-process.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Tally } from './tally.ts'

const retryMs = 500
const readyDeadlineMs = 120_000
/** What a service says then. */
const startGivenUp = /^The \S+ could not start: /m

export interface KeeperDeps {
  readonly tally: Tally
  readonly say: (message: string) => void
}

export class Keeper {
  readonly problems: string[] = []
  readonly #deps: KeeperDeps
  readonly #held = new Set<ServiceProcess>()
  /** One of a service's processes each: its end is noticed once, however often it was taken and given back. */
  readonly #minded = new WeakSet<Promise<number | null>>()
  #isStopping = false

  constructor(deps: KeeperDeps) {
    this.#deps = deps
  }

  /** One of those that run and nobody has taken. */
  take(among: readonly ServiceProcess[], random: SeededRandom): ServiceProcess | undefined {
    const one = random.pick(among.filter((each) => each.state === 'running' && !this.#held.has(each)))
    if (one !== undefined) this.#held.add(one)
    return one
  }

  /** Running again, if the fault left it otherwise. */
  async giveBack(one: ServiceProcess): Promise<void> {
    // Also where it came to a step that stops it after nobody waited for that any more.
    one.resume()
    await this.#run(one)
    this.#held.delete(one)
    this.#mind(one)
  }

  /** From now on its end is noticed. */
  mind(processes: readonly ServiceProcess[]): void {
    for (const one of processes) this.#mind(one)
  }

  /** Until all are running and ready. @throws when one is not in time. */
  async recover(processes: readonly ServiceProcess[]): Promise<void> {
    await Promise.all(
      processes.map(async (one) => {
        await this.#run(one)
        await one.awaitReady(readyDeadlineMs)
      }),
    )
  }

  /** From now on nothing is started again. */
  stop(): void {
    this.#isStopping = true
  }

  #mind(one: ServiceProcess): void {
    const minded = one.ended
    if (this.#minded.has(minded)) return
    this.#minded.add(minded)
    minded.then(async (exitCode) => {
      if (this.#isStopping || this.#held.has(one)) return
      if (startGivenUp.test(one.lastWords)) this.#deps.tally.add('failedStarts')
      else this.#noteEnd(one, exitCode)
      await this.#run(one)
      this.#mind(one)
    })
  }

  #noteEnd(one: ServiceProcess, exitCode: number | null): void {
    this.problems.push(`${one.name} ended by itself (exit code ${exitCode}); the last it said:\n${one.lastWords}`)
    this.#deps.say(`${one.name} ended by itself (exit code ${exitCode})`)
  }

  async #run(one: ServiceProcess): Promise<void> {
    while (one.state === 'ended' && !this.#isStopping) {
      try {
        await one.start()
        this.#deps.tally.add('restarts')
      } catch {
        // What it needs may be down. Its log says why.
        this.#deps.tally.add('failedStarts')
        await delay(retryMs)
      }
    }
  }
}
