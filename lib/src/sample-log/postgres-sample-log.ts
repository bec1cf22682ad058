/**
 * The sample log as a Postgres table: the log of the embedded form. One topic for all metrics, a few partitions.
 *
 * Order: an append locks its partition's row, takes the next positions and inserts; the lock lasts until commit, so
 * positions become visible in their order and a reader at the end can never have skipped one. Append time is this
 * process' clock but never goes back within a partition.
 * Durability: Postgres' commit with synchronous_commit on. Concurrent appends are gathered into one transaction while
 * another one is under way (group commit), so the number of fsyncs does not grow with the number of callers.
 * Retention: log-segments.ts. Past sizeBytesMax appends are refused until the readers catch up.
 */
import { createHash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type pg from 'pg'
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import { inTransaction, type Pool, type PoolClient, type PostgresConnection } from '../postgres/pool.ts'
import { LogSegments } from './log-segments.ts'
import { channel, LogWakeups } from './log-wakeups.ts'
import {
  type LogAppend,
  type LogBatch,
  type LogConsumer,
  type LogPartition,
  type LogRead,
  LogUnavailableError,
  type PartitionHandler,
  type SampleLog,
} from './sample-log.ts'

const topic = 'minutely.samples'
const segmentMs = 5 * 60_000
const maintenanceMs = 30_000
/** A read looks at no more records than this at once, whatever their size. */
const recordsPerReadMax = 500
/** Smaller payloads gain nothing from compression. */
const compressBytesMin = 1_024
/** Postgres refuses more than 65,535 parameters; this many records a statement is far below and plenty. */
const recordsPerStatementMax = 256
/** Postgres: no partition of the relation found for the row. */
const missingSegmentCode = '23514'

export interface PostgresSampleLogConfig {
  readonly partitionCount: number
  readonly keepMs: number
  readonly sizeBytesMax: number
}

export interface PostgresSampleLogDeps {
  readonly pool: Pool
  readonly connection: PostgresConnection
  readonly clock: Clock
  readonly log: Logger
}

interface PendingAppend {
  readonly records: readonly LogAppend[]
  readonly settle: PromiseWithResolvers<void>
}

export class PostgresSampleLog implements SampleLog {
  readonly name = 'sample-log'
  readonly #config: PostgresSampleLogConfig
  readonly #deps: PostgresSampleLogDeps
  readonly #segments: LogSegments
  readonly #wakeups: LogWakeups
  #pending: PendingAppend[] = []
  #appending: Promise<void> | undefined
  #sizeBytes = 0
  #maintaining: Promise<void> = Promise.resolve()
  #cancelMaintenance: (() => void) | undefined
  #stopped = false

  constructor(config: PostgresSampleLogConfig, deps: PostgresSampleLogDeps) {
    this.#config = config
    this.#deps = deps
    this.#segments = new LogSegments(deps.pool, { segmentMs, keepMs: config.keepMs })
    this.#wakeups = new LogWakeups(deps.connection, deps)
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
    await this.#appending
    await this.#wakeups.stop()
  }

  route(series: { tenantId: string; serverId: string }): LogPartition {
    const hash = createHash('md5').update(`${series.tenantId}\u0001${series.serverId}`).digest().readUInt32LE(0)
    return { topic, partition: hash % this.#config.partitionCount }
  }

  append(records: readonly LogAppend[]): Promise<void> {
    if (this.#stopped) return Promise.reject(new LogUnavailableError('the log is stopping'))
    if (this.#sizeBytes > this.#config.sizeBytesMax) {
      const message = `the log holds ${this.#sizeBytes} bytes, more than its limit of ${this.#config.sizeBytesMax}, because its readers lag`
      return Promise.reject(new LogUnavailableError(message, { full: true }))
    }
    const settle = Promise.withResolvers<void>()
    this.#pending.push({ records, settle })
    this.#appending ??= this.#appendPending()
    return settle.promise
  }

  async #appendPending(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#pending
      this.#pending = []
      try {
        await this.#write(group.flatMap(({ records }) => records))
        for (const { settle } of group) settle.resolve()
      } catch (error) {
        const failure = new LogUnavailableError(`Postgres did not take the append: ${(error as Error).message}`, {
          cause: error,
        })
        for (const { settle } of group) settle.reject(failure)
      }
    }
    // In the same turn as the last look at #pending, so that no append falls in between.
    this.#appending = undefined
  }

  async #write(records: readonly LogAppend[]): Promise<void> {
    const payloads = new Map<number, Buffer[]>()
    for (const { partition, payload } of records) {
      const list = payloads.get(partition)
      if (list) list.push(payload)
      else payloads.set(partition, [payload])
    }
    const statements = [...payloads]
      .sort(([a], [b]) => a - b) // Everybody locks in the same order.
      .flatMap(([partition, list]) => this.#appendStatements(partition, list))
    const [only] = statements
    const run = async (): Promise<void> => {
      if (statements.length === 1 && only) await this.#deps.pool.query(only)
      else
        await inTransaction(this.#deps.pool, async (client) => {
          for (const statement of statements) await client.query(statement)
        })
    }
    try {
      await run()
    } catch (error) {
      if ((error as pg.DatabaseError).code !== missingSegmentCode) throw error
      await this.#segments.makeAhead(this.#deps.clock.nowMs())
      await run()
    }
  }

  #appendStatements(partition: number, payloads: readonly Buffer[]): pg.QueryConfig[] {
    const statements: pg.QueryConfig[] = []
    for (let start = 0; start < payloads.length; start += recordsPerStatementMax) {
      const part = payloads.slice(start, start + recordsPerStatementMax)
      const rows = part
        .map((_, index) => `(${index}, $${index + 3}::integer, $${index + 3 + part.length}::bytea)`)
        .join(', ')
      statements.push({
        name: `append-${part.length}`,
        text: `with place as (
            update log_partition set
              next_position = next_position + ${part.length},
              last_appended_at_ms = greatest(last_appended_at_ms, $2::bigint)
            where partition = $1
            returning partition, next_position - ${part.length} as first_position, last_appended_at_ms as at_ms
          ), stored as (
            insert into log_record (segment, partition, position, appended_at_ms, payload_bytes, payload)
            select at_ms / ${segmentMs}, partition, first_position + row.index, at_ms, row.bytes, row.payload
            from place, (values ${rows}) as row (index, bytes, payload)
          )
          select pg_notify('${channel}', '') from place`,
        values: [partition, this.#deps.clock.nowMs(), ...part.map(({ length }) => length), ...part.map(pack)],
      })
    }
    return statements
  }

  async join(group: string, handler: PartitionHandler): Promise<LogConsumer> {
    const { pool } = this.#deps
    await pool.query(
      `insert into log_group (group_name, partition, position)
       select $1, partition, 0 from log_partition on conflict do nothing`,
      [group],
    )
    // One process is the whole group here, so it owns all there are, also those of a larger partitionCount of before.
    const { rows } = await pool.query<{ partition: number }>('select partition from log_partition order by partition')
    const owned = rows.map(({ partition }) => ({ topic, partition }))
    for (const partition of owned) handler.assigned(partition)
    return {
      committed: async ({ partition }) => {
        const text = 'select position::float8 as position from log_group where group_name = $1 and partition = $2'
        const result = await pool.query<{ position: number }>(text, [group, partition])
        return result.rows[0]?.position ?? 0
      },
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
      const batch = await this.#readNow(request)
      const leftMs = deadlineMs - clock.nowMs()
      if (batch.records.length > 0 || leftMs <= 0 || this.#stopped || request.signal?.aborted) return batch
      await this.#wakeups.wait(generation, leftMs, request.signal)
    }
  }

  async #readNow({ partition, position, bytesMax }: LogRead): Promise<LogBatch> {
    // float8 holds positions exactly and comes as a number. (pg's binary results would spare the hex of bytea but are
    // lossy: it decodes every field as UTF-8 first.)
    const query: pg.QueryConfig = {
      name: 'read-log',
      text: `${headSql} select position::float8, appended_at_ms::float8, payload, (select count(*) from head)::float8
        from (select *, sum(payload_bytes) over (order by position) - payload_bytes as bytes_before
              from head) sized
        where bytes_before < $3 order by position`,
      values: [partition.partition, position, bytesMax],
    }
    const { rows } = await this.#deps.pool.query<[number, number, Buffer, number]>({ ...query, rowMode: 'array' })
    const records = rows.map(([at, appendedAtMs, payload]) => ({
      position: at,
      appendedAtMs,
      payload: unpack(payload),
    }))
    const last = records.at(-1)
    const headCount = rows[0]?.[3] ?? 0
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
      log.warn({ err: error }, 'maintenance of the sample log failed; it is tried again')
    }
    if (this.#stopped) return
    this.#cancelMaintenance = clock.schedule(maintenanceMs, () => {
      this.#maintaining = this.#maintain()
    })
  }
}

/**
 * A stored payload is one byte that says how, then the bytes: 0 as they are, 1 zstd. Level 1 takes about a fifth of the
 * CPU time that Postgres would spend on the bytes it saves.
 */
function pack(payload: Buffer): Buffer {
  if (payload.length < compressBytesMin) return Buffer.concat([Buffer.from([0]), payload])
  return Buffer.concat([
    Buffer.from([1]),
    zstdCompressSync(payload, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
  ])
}

function unpack(stored: Buffer): Buffer {
  const bytes = stored.subarray(1)
  return stored[0] === 1 ? zstdDecompressSync(bytes) : bytes
}

const headSql = `with head as materialized (
  select position, appended_at_ms, payload_bytes, payload from log_record
  where partition = $1 and position >= $2 order by position limit ${recordsPerReadMax})
`

async function commitPosition(
  client: Pool | PoolClient,
  { group, partition, position }: { group: string; partition: number; position: number },
): Promise<void> {
  await client.query(
    `update log_group set position = greatest(position, $3), committed_at = now()
     where group_name = $1 and partition = $2`,
    [group, partition, position],
  )
}
