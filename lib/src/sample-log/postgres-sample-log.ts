/**
 * The sample log as a Postgres table: the log of the embedded form. One topic for all metrics, a few partitions.
 *
 * Append time is this process' clock but never goes back within a partition. Durability is Postgres' commit with
 * synchronous_commit on (postgres-log-writer.ts). What this process appended it reads back from memory (log-tail.ts),
 * everything else from the table. Retention: log-segments.ts. Past sizeBytesMax appends are refused until the readers
 * catch up. No position ever comes to mean another record, since the database that counts them is the one that keeps how far they
 * were read: so there are no anchors, and none is looked for.
 */
import { hash, randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { Clock } from '../clock.ts'
import { type Logger, warnBriefly } from '../logging.ts'
import type { Pool, PostgresConnection } from '../postgres/pool.ts'
import { commitPosition, committedPosition, gapAt, oldestPosition } from './log-positions.ts'
import { LogSegments } from './log-segments.ts'
import { LogTail } from './log-tail.ts'
import { LogWakeups } from './log-wakeups.ts'
import { PostgresDeadLetters } from './postgres-dead-letters.ts'
import { PostgresLogWriter, unpack } from './postgres-log-writer.ts'
import {
  type LogAppend,
  type LogBatch,
  type LogConsumer,
  type LogPartition,
  type LogRead,
  type LogRecord,
  LogUnavailableError,
  type PartitionHandler,
  type SampleLog,
} from './sample-log.ts'

const topic = 'minutely.samples'
const segmentMs = 5 * 60_000
const maintenanceMs = 30_000
/** A read looks at no more records than this at once, whatever their size. */
const recordsPerReadMax = 500
/** A reader at the end looks at the table at least this often, should a notification be lost. */
const pollMs = 1_000

export interface PostgresSampleLogConfig {
  readonly partitionCount: number
  readonly keepMs: number
  readonly sizeBytesMax: number
  readonly tailBytesMax: number
  readonly deadLettersMax: number
}

export interface PostgresSampleLogDeps {
  readonly pool: Pool
  readonly connection: PostgresConnection
  readonly clock: Clock
  readonly log: Logger
  /** Why nothing may be added to the disk now, if so. */
  readonly diskProblem?: () => string | null
}

/** What is known of a partition without asking Postgres. */
interface PartitionReading {
  readonly tail: LogTail
  /** How many notifications of other processes had come when the table was last read, and when that was. */
  foreignGeneration: number
  lookedAtMs: number
}

export class PostgresSampleLog implements SampleLog {
  readonly name = 'sample-log'
  readonly takesBundles = true
  readonly deadLetters: PostgresDeadLetters
  readonly #config: PostgresSampleLogConfig
  readonly #deps: PostgresSampleLogDeps
  readonly #segments: LogSegments
  readonly #wakeups: LogWakeups
  readonly #writer: PostgresLogWriter
  readonly #readings = new Map<number, PartitionReading>()
  #sizeBytes = 0
  #maintaining: Promise<void> = Promise.resolve()
  #cancelMaintenance: (() => void) | undefined
  #stopped = false

  constructor(config: PostgresSampleLogConfig, deps: PostgresSampleLogDeps) {
    this.#config = config
    this.#deps = deps
    this.#segments = new LogSegments(deps.pool, { segmentMs, keepMs: config.keepMs })
    const { deadLettersMax } = config
    this.deadLetters = new PostgresDeadLetters({ ...deps, deadLettersMax, append: (records) => this.append(records) })
    const instanceId = randomUUID()
    this.#wakeups = new LogWakeups(deps.connection, { ...deps, instanceId, pollMs })
    this.#writer = new PostgresLogWriter({
      ...deps,
      instanceId,
      segmentMs,
      makeSegments: () => this.#segments.makeAhead(deps.clock.nowMs()),
      onAppended: (partition, records) => this.#appended(partition, records),
    })
  }

  /** Bytes on disk at the last look (every 30 s). */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  async start(): Promise<void> {
    await this.#deps.pool.query(
      'insert into log_partition (partition) select generate_series(0, $1 - 1) on conflict do nothing',
      [this.#config.partitionCount],
    )
    await this.#segments.makeAhead(this.#deps.clock.nowMs())
    await this.#wakeups.start()
    await this.#maintain()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelMaintenance?.()
    await this.#maintaining
    await this.#writer.idle()
    await this.#wakeups.stop()
  }

  route(series: { tenantId: string; serverId: string }): LogPartition {
    const { partitionCount } = this.#config
    if (partitionCount === 1) return { topic, partition: 0 }
    const digest = hash('md5', `${series.tenantId}\u0001${series.serverId}`, 'buffer')
    return { topic, partition: digest.readUInt32LE(0) % partitionCount }
  }

  append(records: readonly LogAppend[]): Promise<void> {
    if (this.#stopped) return Promise.reject(new LogUnavailableError('the log is stopping'))
    if (this.#sizeBytes > this.#config.sizeBytesMax) {
      const message = `the log holds ${this.#sizeBytes} bytes, more than its limit of ${this.#config.sizeBytesMax}, because its readers lag`
      return Promise.reject(new LogUnavailableError(message, { full: 'readers-lag' }))
    }
    const diskProblem = this.#deps.diskProblem?.() ?? null
    if (diskProblem !== null) return Promise.reject(new LogUnavailableError(diskProblem, { full: 'disk' }))
    return this.#writer.append(records)
  }

  #appended(partition: number, records: readonly LogRecord[]): void {
    const { tail } = this.#reading(partition)
    for (const record of records) tail.push(record)
    this.#wakeups.wake()
  }

  #reading(partition: number): PartitionReading {
    let reading = this.#readings.get(partition)
    if (reading === undefined) {
      const tailBytesMax = Math.floor(this.#config.tailBytesMax / this.#config.partitionCount)
      reading = { tail: new LogTail(tailBytesMax), foreignGeneration: -1, lookedAtMs: 0 }
      this.#readings.set(partition, reading)
    }
    return reading
  }

  async partitions(): Promise<readonly LogPartition[]> {
    const query = 'select partition from log_partition order by partition'
    const { rows } = await this.#deps.pool.query<{ partition: number }>(query)
    return rows.map(({ partition }) => ({ topic, partition }))
  }

  async join(group: string, handler: PartitionHandler): Promise<LogConsumer> {
    const { pool } = this.#deps
    await pool.query(
      `insert into log_group (group_name, partition, position)
       select $1, partition, 0 from log_partition on conflict do nothing`,
      [group],
    )
    // One process is the whole group here, so it owns all there are, also those of a larger partitionCount of before.
    const owned = await this.partitions()
    for (const partition of owned) handler.assigned(partition)
    return {
      committed: ({ partition }) => committedPosition(pool, { group, partition }),
      oldest: ({ partition }) => oldestPosition(pool, partition),
      read: (request) => this.#read(request),
      commit: async ({ partition }, position) => {
        await commitPosition(pool, { group, partition, position })
      },
      commitWithin: async (client, { partition }, position) => {
        await commitPosition(client, { group, partition, position })
      },
      leave: async () => {
        for (const partition of owned) handler.revoked(partition)
      },
    }
  }

  async #read(request: LogRead): Promise<LogBatch> {
    const { clock } = this.#deps
    const deadlineMs = clock.nowMs() + request.waitMs
    for (;;) {
      const generation = this.#wakeups.generation
      const batch = this.#readTail(request) ?? (await this.#readTable(request))
      const leftMs = deadlineMs - clock.nowMs()
      if (
        batch.records.length > 0 ||
        batch.gap !== undefined ||
        leftMs <= 0 ||
        this.#stopped ||
        request.signal?.aborted
      )
        return batch
      await this.#wakeups.wait(generation, leftMs, request.signal)
    }
  }

  /** What this process appended itself; undefined when only the table can tell. */
  #readTail({ partition: { partition }, position, bytesMax }: LogRead): LogBatch | undefined {
    const { tail, foreignGeneration, lookedAtMs } = this.#reading(partition)
    const records = tail.from(position, bytesMax)
    const nextPosition = position + records.length
    if (records.length > 0) return { records, nextPosition, atEnd: tail.endsAt(nextPosition) }
    // At our own end, and nobody else has appended since the table was last looked at.
    const isFresh =
      foreignGeneration === this.#wakeups.foreignGeneration && this.#deps.clock.nowMs() - lookedAtMs < pollMs
    return isFresh && tail.endsAt(position) ? { records, nextPosition, atEnd: true } : undefined
  }

  async #readTable({ partition, position, bytesMax }: LogRead): Promise<LogBatch> {
    const reading = this.#reading(partition.partition)
    reading.foreignGeneration = this.#wakeups.foreignGeneration
    reading.lookedAtMs = this.#deps.clock.nowMs()
    // float8 holds positions exactly and comes as a number. (pg's binary results would spare the hex of bytea but are
    // lossy: it decodes every field as UTF-8 first.)
    const query: pg.QueryConfig = {
      name: 'read-log',
      text: `${headSql} select position::float8, appended_at_ms::float8, payload, payload_bytes, (select count(*) from head)::float8
        from (select *, sum(payload_bytes) over (order by position) - payload_bytes as bytes_before
              from head) sized
        where bytes_before < $3 order by position`,
      values: [partition.partition, position, bytesMax],
    }
    const { rows } = await this.#deps.pool.query<[number, number, Buffer, number, number]>({
      ...query,
      rowMode: 'array',
    })
    const records = rows.map(([at, appendedAtMs, payload, payloadBytes]) => ({
      position: at,
      appendedAtMs,
      payload: unpack(payload, payloadBytes),
    }))
    const [first] = records
    // Positions have no holes: anything else than the record that was asked for may be a gap.
    if (first?.position !== position) {
      const gap = await gapAt(this.#deps.pool, partition.partition, position)
      if (gap !== undefined) return { records: [], nextPosition: gap.toPosition, atEnd: false, gap }
      if (first !== undefined) return { records: [], nextPosition: position, atEnd: false }
    }
    const last = records.at(-1)
    const headCount = rows[0]?.[4] ?? 0
    return {
      records,
      nextPosition: last === undefined ? position : last.position + 1,
      atEnd: records.length === headCount && headCount < recordsPerReadMax,
    }
  }

  async #maintain(): Promise<void> {
    const { clock, log } = this.#deps
    try {
      await this.#segments.makeAhead(clock.nowMs())
      await this.#segments.drop(clock.nowMs())
      this.#sizeBytes = await this.#segments.sizeBytes()
    } catch (error) {
      warnBriefly(log, error, { message: 'maintenance of the sample log failed; it is tried again' })
    }
    if (this.#stopped) return
    this.#cancelMaintenance = clock.schedule(maintenanceMs, () => {
      this.#maintaining = this.#maintain()
    })
  }
}

const headSql = `with head as materialized (
  select position, appended_at_ms, payload_bytes, payload from log_record
  where partition = $1 and position >= $2 order by position limit ${recordsPerReadMax})
`
