/**
 * Appends to the Postgres log. Concurrent appends are gathered into one transaction while another one is under way
 * (group commit), so the number of fsyncs does not grow with the number of callers.
 *
 * Order: an append locks its partition's row, takes the next positions and inserts; the lock lasts until commit, so
 * positions become visible in their order and a reader at the end can never have skipped one.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type pg from 'pg'
import type { Clock } from '../clock.ts'
import { inTransaction, type Pool } from '../postgres/pool.ts'
import { channel } from './log-wakeups.ts'
import { type LogAppend, type LogRecord, LogUnavailableError } from './sample-log.ts'

/** Postgres refuses more than 65,535 parameters; this many records a statement is far below and plenty. */
const recordsPerStatementMax = 256
/** Smaller payloads gain nothing from compression. */
const compressBytesMin = 1_024
/** Postgres: no partition of the relation found for the row. */
const missingSegmentCode = '23514'
const diskFullCode = '53100'

export interface LogWriterDeps {
  readonly pool: Pool
  readonly clock: Clock
  /** Names this process in notifications. */
  readonly instanceId: string
  readonly segmentMs: number
  readonly makeSegments: () => Promise<void>
  /** Called after the commit, in the order of positions. */
  readonly onAppended: (partition: number, records: readonly LogRecord[]) => void
}

interface PendingAppend {
  readonly records: readonly LogAppend[]
  readonly settle: PromiseWithResolvers<void>
}

interface Placement {
  readonly first_position: number
  readonly at_ms: number
}

interface AppendStatement {
  readonly partition: number
  readonly records: readonly LogAppend[]
  readonly query: pg.QueryConfig
}

export class PostgresLogWriter {
  readonly #deps: LogWriterDeps
  #pending: PendingAppend[] = []
  #appending: Promise<void> | undefined

  constructor(deps: LogWriterDeps) {
    this.#deps = deps
  }

  /** @throws LogUnavailableError when Postgres did not confirm; the records may or may not be there then. */
  append(records: readonly LogAppend[]): Promise<void> {
    const settle = Promise.withResolvers<void>()
    this.#pending.push({ records, settle })
    this.#appending ??= this.#appendPending()
    return settle.promise
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#appending
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
          full: (error as pg.DatabaseError).code === diskFullCode ? 'disk' : false,
        })
        for (const { settle } of group) settle.reject(failure)
      }
    }
    // In the same turn as the last look at #pending, so that no append falls in between.
    this.#appending = undefined
  }

  async #write(records: readonly LogAppend[]): Promise<void> {
    const byPartition = new Map<number, LogAppend[]>()
    for (const record of records) {
      const list = byPartition.get(record.partition)
      if (list) list.push(record)
      else byPartition.set(record.partition, [record])
    }
    const statements = [...byPartition]
      .sort(([a], [b]) => a - b) // Everybody locks in the same order.
      .flatMap(([partition, list]) => this.#statements(partition, list))
    let placements: Placement[]
    try {
      placements = await this.#run(statements)
    } catch (error) {
      if ((error as pg.DatabaseError).code !== missingSegmentCode) throw error
      await this.#deps.makeSegments()
      placements = await this.#run(statements)
    }
    for (const [index, { partition, records: stored }] of statements.entries()) {
      const { first_position, at_ms } = placements[index] as Placement
      const appended = stored.map(({ payload, sections }, at) => {
        const record = { position: first_position + at, appendedAtMs: at_ms, payload }
        return sections === undefined ? record : { ...record, sections }
      })
      this.#deps.onAppended(partition, appended)
    }
  }

  async #run(statements: readonly AppendStatement[]): Promise<Placement[]> {
    const [only] = statements
    if (only !== undefined && statements.length === 1) return (await this.#deps.pool.query<Placement>(only.query)).rows
    return inTransaction(this.#deps.pool, async (client) => {
      const placements: Placement[] = []
      for (const { query } of statements) placements.push(...(await client.query<Placement>(query)).rows)
      return placements
    })
  }

  #statements(partition: number, records: readonly LogAppend[]): AppendStatement[] {
    const statements: AppendStatement[] = []
    for (let start = 0; start < records.length; start += recordsPerStatementMax) {
      const part = records.slice(start, start + recordsPerStatementMax)
      statements.push({ partition, records: part, query: this.#query(partition, part) })
    }
    return statements
  }

  #query(partition: number, records: readonly LogAppend[]): pg.QueryConfig {
    const count = records.length
    const rows = records.map((_, index) => `(${index}, $${index + 4}::integer, $${index + 4 + count}::bytea)`)
    return {
      name: `append-${count}`,
      text: `with place as (
          update log_partition set
            next_position = next_position + ${count},
            last_appended_at_ms = greatest(last_appended_at_ms, $2::bigint)
          where partition = $1
          returning partition, next_position - ${count} as first_position, last_appended_at_ms as at_ms
        ), stored as (
          insert into log_record (segment, partition, position, appended_at_ms, payload_bytes, payload)
          select at_ms / ${this.#deps.segmentMs}, partition, first_position + row.index, at_ms, row.bytes, row.payload
          from place, (values ${rows.join(', ')}) as row (index, bytes, payload)
        )
        select first_position::float8, at_ms::float8, pg_notify('${channel}', $3) from place`,
      values: [
        partition,
        // A segment is a whole number of ms; so is every instant in the log.
        Math.floor(this.#deps.clock.nowMs()),
        this.#deps.instanceId,
        ...records.map(({ payload }) => payload.length),
        ...records.map(pack),
      ],
    }
  }
}

/**
 * A stored payload is one byte that says how, then the bytes: 0 as they are, 1 zstd. Level 1 takes less CPU time than
 * Postgres would spend on the bytes it saves (docs/formats.md).
 */
function pack({ payload, isCompressed = false }: LogAppend): Buffer {
  if (isCompressed || payload.length < compressBytesMin) return Buffer.concat([Buffer.from([0]), payload])
  const params = { [constants.ZSTD_c_compressionLevel]: 1 }
  return Buffer.concat([Buffer.from([1]), zstdCompressSync(payload, { params })])
}

/**
 * `payloadBytes`: how long it was. A stored payload that cannot be unpacked is damage below us: it comes back empty,
 * which no record is, so that the reader counts it as unreadable and goes on instead of failing at it for ever.
 */
export function unpack(stored: Buffer, payloadBytes: number): Buffer {
  const bytes = stored.subarray(1)
  if (stored[0] !== 1) return bytes
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, payloadBytes) })
  } catch {
    return Buffer.alloc(0)
  }
}
