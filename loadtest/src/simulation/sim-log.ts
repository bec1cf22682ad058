/**
 * A process' client of the simulated log: the port SampleLog over one shared storage and group. Appends fail before or after
 * they took effect, in part or late; reads fail; answers take their time.
 */
import {
  type DeadLetters,
  type LogAppend,
  type LogBatch,
  type LogCommit,
  type LogConsumer,
  type LogPartition,
  type LogRead,
  type LogRecord,
  LogUnavailableError,
  type NewDeadLetter,
  type PartitionHandler,
  type SampleLog,
} from '@minutely/lib/sample-log/sample-log'
import { deadlyPayload } from './sim-bad-records.ts'
import type { SimGroup } from './sim-group.ts'
import { nameOf, type PartitionLog, type SimLogStorage, type StoredRecord } from './sim-log-storage.ts'
import { SimLogView } from './sim-log-view.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

export interface SimLogDeps {
  readonly world: SimWorld
  readonly storage: SimLogStorage
  readonly group: SimGroup
  readonly process: SimProcess
  /** Partitions of a topic that this process routes to. */
  readonly partitionCount: number
  /** A position is taken for the same record, whatever happened to the log. */
  readonly trustsPositions?: boolean | undefined
  /** The process folds a record that is deadly. Whoever does not fold needs none. */
  readonly die?: (record: LogPartition & { readonly position: number }) => void
}

export class SimSampleLog implements SampleLog {
  readonly name = 'sim-log'
  readonly takesBundles: boolean = false
  readonly deadLetters: DeadLetters
  readonly #deps: SimLogDeps

  constructor(deps: SimLogDeps) {
    this.#deps = deps
    this.deadLetters = {
      add: (letter) => deps.process.call(() => this.#setAside(letter)),
      list: async function* () {},
      replay: async () => {},
    }
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  route({ serverId, metricId }: { serverId: string; metricId: string }): LogPartition {
    let hash = 0
    for (let at = 0; at < serverId.length; at++) hash = (hash * 31 + serverId.charCodeAt(at)) >>> 0
    const { topicCount } = this.#deps.world.faults
    return { topic: topicCount === 1 ? 'samples' : `samples.${metricId}`, partition: hash % this.#deps.partitionCount }
  }

  append(records: readonly LogAppend[]): Promise<void> {
    const { process } = this.#deps
    return process.call(() => this.#append(records))
  }

  partitions(): Promise<readonly LogPartition[]> {
    const { process, storage } = this.#deps
    return process.call(async () =>
      [...storage.partitions.values()].map(({ topic, partition }) => ({ topic, partition })),
    )
  }

  async join(_group: string, handler: PartitionHandler): Promise<LogConsumer> {
    const { group, process } = this.#deps
    await process.call(async () => group.join(process, handler))
    return new SimLogConsumer(this.#deps)
  }

  async #setAside(letter: NewDeadLetter): Promise<void> {
    const { world, storage, process } = this.#deps
    await world.delay(world.random.skewed(80))
    if (world.chance(world.faults.appendFails)) throw new LogUnavailableError('the brokers cannot be reached')
    storage.letters.push(letter)
    world.note(process.name, `set aside ${nameOf(letter)} ${letter.position}: ${letter.reason}`)
    if (world.chance(world.faults.appendFails)) throw new LogUnavailableError('no answer from the brokers')
  }

  async #append(records: readonly LogAppend[]): Promise<void> {
    const { world, storage, process } = this.#deps
    const { random, faults } = world
    await world.delay(random.skewed(80))
    if (world.chance(faults.appendFails / 2)) throw new LogUnavailableError('the brokers cannot be reached')
    const isPartial = world.chance(faults.appendFails / 2)
    const slowMs = world.chance(faults.appendSlow) ? random.between(500, 20_000) : 0
    let readableAtMs = 0
    await Promise.all(
      records.map(async (record) => {
        // Each partition has a broker of its own.
        await world.delay(slowMs === 0 ? 0 : random.below(slowMs))
        if (isPartial && random.chance(0.5)) return
        readableAtMs = Math.max(readableAtMs, storage.append(record, { payload: record.payload }))
        world.note('log', `${nameOf(record)} has ${storage.get(record).end - 1} of ${process.name}`)
      }),
    )
    await world.delay(Math.max(0, readableAtMs - world.nowMs) + random.skewed(40))
    if (isPartial || world.chance(faults.appendFails)) throw new LogUnavailableError('no answer from the brokers')
  }
}

class SimLogConsumer implements LogConsumer {
  readonly #deps: SimLogDeps
  readonly #views = new Map<string, SimLogView>()

  constructor(deps: SimLogDeps) {
    this.#deps = deps
  }

  committed(partition: LogPartition): Promise<LogCommit> {
    return this.#ask(partition, 'committed', ({ committed, oldest }) => committed ?? { position: oldest })
  }

  oldest(partition: LogPartition): Promise<number> {
    return this.#ask(partition, 'oldest', (log) => log.oldest)
  }

  commit(partition: LogPartition, position: number, mark?: string): Promise<void> {
    const { world, group, process } = this.#deps
    return this.#ask(partition, 'commit', (log) => {
      if (!group.owns(process, partition)) throw new Error(`${process.name} does not own ${nameOf(partition)} any more`)
      log.committed = { position, mark }
      world.note(process.name, `committed ${nameOf(partition)} ${position}`)
    })
  }

  read(request: LogRead): Promise<LogBatch> {
    const { process } = this.#deps
    return process.call(() => this.#read(request))
  }

  async leave(): Promise<void> {
    const { process, group } = this.#deps
    await process.call(async () => group.leave(process))
  }

  #ask<T>(partition: LogPartition, what: string, answer: (log: PartitionLog) => T): Promise<T> {
    const { world, storage, process } = this.#deps
    return process.call(async () => {
      await world.delay(world.random.skewed(30))
      if (world.chance(world.faults.readFails)) throw new Error(`${what}: the broker cannot be reached`)
      const result = answer(storage.get(partition))
      if (world.chance(world.faults.readFails)) throw new Error(`${what}: no answer from the broker`)
      await world.delay(world.random.skewed(30))
      return result
    })
  }

  async #read({ partition, position, waitMs, anchor, signal }: LogRead): Promise<LogBatch> {
    const { world, process } = this.#deps
    const { random, faults } = world
    await world.delay(random.chance(0.2) ? random.below(20) : 0)
    const view = this.#viewOf(partition)
    if (world.chance(faults.readFails)) {
      view.break()
      throw new Error('read: the broker cannot be reached')
    }
    const untilMs = world.nowMs + waitMs
    for (;;) {
      view.seek(position, anchor)
      const { log, gap, found } = view.look()
      if (gap !== undefined) return { records: [], nextPosition: gap.toPosition, atEnd: false, gap }
      if (found.length > 0) {
        const count = faults.tight ? random.between(1, 4) : random.between(1, 60)
        const records = found.slice(0, count).map((record) => this.#handOut(record, partition))
        const nextPosition = (records.at(-1)?.position ?? position) + 1
        world.note(process.name, `read ${nameOf(partition)} ${records[0]?.position} to ${nextPosition - 1}`)
        const atEnd = count >= found.length
        const last = view.take(records)
        // Whatever is appended while the answer is on its way is not in it.
        await world.delay(this.#answerMs())
        return { records, nextPosition, atEnd, ...(last && { anchor: last }) }
      }
      if (world.nowMs >= untilMs || signal?.aborted === true) {
        await world.delay(this.#answerMs())
        return { records: [], nextPosition: position, atEnd: true }
      }
      await this.#change(log, untilMs - world.nowMs, signal)
    }
  }

  #viewOf(partition: LogPartition): SimLogView {
    const known = this.#views.get(nameOf(partition))
    if (known !== undefined) return known
    const view = new SimLogView(partition, this.#deps)
    this.#views.set(nameOf(partition), view)
    return view
  }

  #handOut(record: StoredRecord, { topic, partition }: LogPartition): LogRecord {
    const { position, appendedAtMs, unreadable } = record
    const die = (): void => this.#deps.die?.({ topic, partition, position })
    const payload = record.isDeadly === true ? deadlyPayload(record.payload, die) : record.payload
    return { position, appendedAtMs, payload, ...(unreadable && { unreadable }) }
  }

  #answerMs(): number {
    const { world } = this.#deps
    if (world.chance(0.02)) return world.random.below(8_000)
    return world.random.chance(0.2) ? world.random.below(20) : 0
  }

  #change(log: PartitionLog, atMostMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        log.waiting.delete(wake)
        cancel()
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const cancel = this.#deps.world.clock.schedule(atMostMs, wake)
      log.waiting.add(wake)
      signal?.addEventListener('abort', wake)
    })
  }
}
