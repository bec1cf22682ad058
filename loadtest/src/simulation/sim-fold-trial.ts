/** The process in which a careful owner has records folded first (aggregator/src/fold-trial.ts), without the process. */
import type { FoldTrial, TrialOutcome } from '@minutely/aggregator/fold-trial'
import type { LogRecord } from '@minutely/lib/sample-log/sample-log'
import { isDeadly } from './sim-bad-records.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

export class SimFoldTrial implements Pick<FoldTrial, 'fold' | 'stop'> {
  readonly #world: SimWorld
  readonly #process: SimProcess

  constructor(world: SimWorld, process: SimProcess) {
    this.#world = world
    this.#process = process
  }

  fold(records: readonly LogRecord[], signal: AbortSignal): Promise<TrialOutcome> {
    return this.#process.call(async () => {
      await this.#world.delay(this.#world.random.skewed(500))
      if (signal.aborted) return { kind: 'untried' }
      return records.some(isDeadly) ? { kind: 'died', how: 'SIGKILL' } : { kind: 'survived' }
    })
  }

  stop(): void {}
}
