/**
 * Keeps a record that ends its reader, or hangs it until it is killed, from ending every owner of its partition in turn. Bad
 * bytes are a verdict (fold-record.ts); this is about defects, ours or of the runtime, that leave nobody to give one.
 *
 *     owner 1 begins, dies    owner 2 begins, dies    owner 3 begins: careful, since two in a row did not finish
 *
 *     careful:  batch ── tried in a process of its own (fold-trial.ts) ── survived ──> folded
 *                                   └ died ── each record alone ── survived ──> folded
 *                                                  └ died, 3 times ──> dead letter `crashes-reader`, never decoded here
 *
 * A run is finished when it ended in order, or has read the log to its end: then it has folded whatever one before it can
 * have died of. After something was set aside only once the stored position is past it: until then the next owner reads it again.
 *
 * Why nothing else is ever set aside: that a run did not finish says nothing (owners are killed, machines fail), it only makes
 * the next ones careful, and careful costs time. The verdict has a witness: this process, which lived on while another one that
 * had folded a sound record before, and that was alone with this record, died of it three times without having been asked to.
 *
 * Costs a row's update when a partition is begun, and one when it has first been read to its end; nothing for each batch.
 */
import type { Logger } from '@minutely/lib/logging'
import type { LogPartition, LogRecord } from '@minutely/lib/sample-log/sample-log'
import type { Damage } from './fold-record.ts'
import type { FoldTrial } from './fold-trial.ts'
import type { MinuteStore } from './minute-store.ts'

/** This and the two before it. */
const unfinishedRunsMin = 3
const deathsMin = 3

export interface CrashGuardDeps {
  readonly minuteStore: Pick<MinuteStore, 'beginRun' | 'finishRun'>
  readonly trial: Pick<FoldTrial, 'fold'>
  readonly log: Logger
}

export class CrashGuard {
  /** From where the next owner reads on. */
  storedPosition = 0
  readonly #partition: LogPartition
  readonly #deps: CrashGuardDeps
  #isCareful = false
  #isFinished = true
  #setAsideThrough = -1

  constructor(partition: LogPartition, deps: CrashGuardDeps) {
    this.#partition = partition
    this.#deps = deps
  }

  async begin(): Promise<void> {
    const unfinished = await this.#deps.minuteStore.beginRun(this.#partition)
    this.#isFinished = false
    this.#isCareful = unfinished >= unfinishedRunsMin
    if (!this.#isCareful) return
    const runs = `${unfinished - 1} owners of this partition in a row did not finish`
    this.#deps.log.warn(
      { ...this.#partition, unfinished },
      `${runs}: each batch is tried in a process of its own first`,
    )
  }

  /** Those that must not be folded, by position. Incomplete once the signal has aborted. */
  async sift(records: readonly LogRecord[], signal: AbortSignal): Promise<ReadonlyMap<number, Damage>> {
    const fatal = new Map<number, Damage>()
    if (!this.#isCareful || records.length === 0) return fatal
    const whole = await this.#deps.trial.fold(records, signal)
    if (whole.kind !== 'died') return fatal
    for (const record of records) {
      const damage = await this.#judge(record, signal)
      if (damage === undefined) continue
      fatal.set(record.position, damage)
      this.#setAsideThrough = record.position
    }
    return fatal
  }

  async #judge(record: LogRecord, signal: AbortSignal): Promise<Damage | undefined> {
    const { trial, log } = this.#deps
    const deaths: string[] = []
    while (deaths.length < deathsMin) {
      const outcome = await trial.fold([record], signal)
      if (outcome.kind !== 'died') return undefined
      deaths.push(outcome.how)
      const place = { ...this.#partition, position: record.position }
      log.error({ ...place, deaths: deaths.length }, `a record ended the process that folded it: ${outcome.how}`)
    }
    const detail = `ended each of ${deathsMin} processes that folded it alone: ${deaths.join(', ')}`
    return { reason: 'crashes-reader', detail }
  }

  /** Read to the end, and folded. */
  async caughtUp(): Promise<void> {
    if (this.#setAsideThrough < 0 || this.storedPosition > this.#setAsideThrough) await this.#finish()
  }

  /** In order, but a record that was set aside may still be in the way of the next owner. */
  async end(): Promise<void> {
    if (this.#setAsideThrough >= 0) return
    // Best effort: without it the next owner is one step nearer to being careful, no more.
    await this.#finish().catch((error) => this.#deps.log.debug({ err: error }, 'a run was not finished'))
  }

  async #finish(): Promise<void> {
    if (this.#isFinished) return
    await this.#deps.minuteStore.finishRun(this.#partition)
    this.#isFinished = true
    this.#isCareful = false
  }
}
