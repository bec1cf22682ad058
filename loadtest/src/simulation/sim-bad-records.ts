/**
 * Records of the log that nobody can fold: poison, which does not decode, and deadly ones, which end the process that tries. What has
 * to become of them, and what must not: each is set aside, with where and why; nothing else ever is; and a deadly one ends three
 * owners in a row at most (aggregator/src/crash-guard.ts).
 *
 *     in a row: between two times that a run of the partition was finished, the database not set back in between. One that read the
 *     log to its end has finished, the next two have not, the fourth is careful.
 *
 * A process that took itself for the owner still, and died of it, does not count: the group knows better.
 */
import type { LogPartition, LogRecord, NewDeadLetter } from '@minutely/lib/sample-log/sample-log'
import { decodeLogPayload } from '@minutely/schema/log-payload'
import { encodeSampleRecord, encodeSeriesList } from '@minutely/schema/sample-codec'
import type { SimDatabase } from './sim-database.ts'
import type { SimGroup } from './sim-group.ts'
import { nameOf, type SimLogStorage } from './sim-log-storage.ts'
import type { SimProcess } from './sim-process.ts'
import { runRow } from './sim-runs.ts'
import type { SimWorld } from './sim-world.ts'

/** Of the log's place, and of the reason that a dead letter has to name. */
export interface BadRecord extends LogPartition {
  readonly position: number
  readonly payload: Buffer
  readonly reason: 'crashes-reader' | 'undecodable' | 'foreign'
}

export interface BadRecordsDeps {
  readonly world: SimWorld
  readonly storage: SimLogStorage
  readonly group: SimGroup
  readonly database: SimDatabase
}

const deathsInARowMax = 3

const absentRetryMs = 2_000

export class SimBadRecords {
  /** Processes that died of one. */
  deathCount = 0
  readonly #deps: BadRecordsDeps
  readonly #records: BadRecord[] = []
  readonly #deaths = new Map<string, number>()
  readonly #problems: string[] = []

  constructor(deps: BadRecordsDeps) {
    this.#deps = deps
  }

  appendDeadly(): void {
    const { world } = this.#deps
    const partition = this.#anyPartition()
    if (partition === undefined) return void world.clock.schedule(absentRetryMs, () => this.appendDeadly())
    const values = Buffer.from(Float64Array.of(world.random.next()).buffer)
    const series = encodeSeriesList([{ metricId: 'deadly', labels: {} }])
    const owner = { tenantId: 'default', serverId: 'deadly' }
    const section = { ...owner, startMs: Math.floor(world.nowMs / 1_000) * 1_000, stepMs: 1_000, slotCount: 1 }
    const payload = encodeSampleRecord({ receivedAtMs: world.nowMs, sections: [{ ...section, series, values }] })
    this.#append(partition, { payload, reason: 'crashes-reader' })
  }

  /** A record that was torn, or bytes of somebody else's; those the log may know as such. */
  appendPoison(): void {
    const { world, storage } = this.#deps
    const { random } = world
    const partition = this.#anyPartition()
    if (partition === undefined) return void world.clock.schedule(absentRetryMs, () => this.appendPoison())
    const last = storage.get(partition).records.at(-1)?.payload ?? Buffer.alloc(0)
    const torn = Buffer.from(last.subarray(0, random.below(last.length)))
    const isTorn = random.chance(0.5) && !isDecodable(torn)
    const noise = Buffer.from(Array.from({ length: random.between(1, 40) }, () => random.between(100, 255)))
    const reason = !isTorn && random.chance(0.5) ? 'foreign' : 'undecodable'
    this.#append(partition, { payload: isTorn ? torn : noise, reason })
  }

  /** Somebody folded it. */
  died(process: SimProcess, record: LogPartition & { readonly position: number }): void {
    const { group, database } = this.#deps
    this.deathCount++
    if (!group.owns(process, record)) return
    const place = `${nameOf(record)} ${record.position}`
    const key = `${place}, ${runRow(database, record).finishedCount}, ${database.rewindCount}`
    const deaths = (this.#deaths.get(key) ?? 0) + 1
    this.#deaths.set(key, deaths)
    if (deaths === deathsInARowMax + 1) this.#problems.push(`${place} has ended ${deaths} owners in a row`)
  }

  /** @returns what is wrong, once all is read. */
  check(): string[] {
    const { letters, destroyed } = this.#deps.storage
    const problems = letters.flatMap((letter) => letterProblem(letter, this.#records) ?? [])
    const gone = new Set(destroyed.map(({ payload }) => payload))
    for (const record of this.#records) {
      if (gone.has(record.payload) || letters.some((letter) => isOf(letter, record))) continue
      problems.push(`${nameOf(record)} ${record.position} was never set aside (${record.reason})`)
    }
    return [...this.#problems, ...problems]
  }

  /** Undefined while there is none, because topics are being made anew. */
  #anyPartition(): LogPartition | undefined {
    const { world, storage } = this.#deps
    const there = [...storage.partitions.values()].filter(({ absentUntilMs }) => absentUntilMs <= world.nowMs)
    return there.length === 0 ? undefined : world.random.pick(there)
  }

  #append({ topic, partition }: LogPartition, { payload, reason }: Pick<BadRecord, 'payload' | 'reason'>): void {
    const { world, storage } = this.#deps
    const unreadable = reason === 'foreign' ? { unreadable: { reason, detail: 'somebody else wrote it' } } : {}
    storage.append({ topic, partition }, { payload, isBad: true, isDeadly: reason === 'crashes-reader', ...unreadable })
    const position = storage.get({ topic, partition }).end - 1
    this.#records.push({ topic, partition, position, payload, reason })
    world.note('log', `${nameOf({ topic, partition })} has ${position}, which is bad: ${reason}`)
  }
}

/** The same bytes: whoever decodes them is told of to `die`. The owner that does is dead then, whatever it goes on to do. */
export function deadlyPayload(payload: Buffer, die: () => void): Buffer {
  const deadly = Buffer.from(payload)
  const subarray = (): never => {
    die()
    throw new Error('whoever sees this is dead')
  }
  return Object.defineProperty(deadly, 'subarray', { value: subarray })
}

export function isDeadly({ payload }: LogRecord): boolean {
  return Object.hasOwn(payload, 'subarray')
}

function isDecodable(payload: Buffer): boolean {
  try {
    decodeLogPayload(payload)
    return true
  } catch {
    return false
  }
}

function letterProblem(letter: NewDeadLetter, records: readonly BadRecord[]): string | undefined {
  const place = `${nameOf(letter)} ${letter.position}`
  const record = records.find((one) => isOf(letter, one))
  if (record === undefined) return `${place} was sound and is set aside: ${letter.reason}, ${letter.detail}`
  if (record.reason === letter.reason && letter.detail !== '') return undefined
  return `${place} is set aside as ${letter.reason} (${letter.detail}), and is ${record.reason}`
}

function isOf(letter: NewDeadLetter, { position, payload, ...partition }: BadRecord): boolean {
  return nameOf(letter) === nameOf(partition) && letter.position === position && payload.equals(letter.payload)
}
