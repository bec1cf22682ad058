/**
 * What is known of a file that is imported: the table import_file. Everything before `position` is stored. Behind it there may be a
 * *batch*, a stretch of the file of which the first `partsDone` parts are stored; each part's transaction says so. Whoever goes on with it
 * reads the same stretch under the same bounds of time, finds the same parts (point-batch.ts) and begins with the next one.
 *
 *   position          batch.end
 *   ───┼──────────────────┼─────────>  bytes of the content
 *      │ part part part . │
 *
 * One import of a file at a time: an advisory lock of the session, which ends with the process that holds it.
 */
import { createHash } from 'node:crypto'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { addTotals, createTotals, type ImportTotals } from './import-counts.ts'
import { seriesPerPart, type TimeBounds } from './point-batch.ts'

/** Any constant: first half of the key, a hash of the fingerprint is the second. */
const advisoryClass = 7_070_010

export interface BatchPlan extends TimeBounds {
  /** Byte behind its last line. */
  readonly end: number
  readonly partsDone: number
  /** Of who made the parts: another number makes others. */
  readonly seriesPerPart: number
}

interface LedgerRow {
  readonly position: number
  readonly batch: BatchPlan | null
  readonly totals: ImportTotals
  readonly finished_at: Date | null
}

export interface FileIdentity {
  readonly fingerprint: string
  readonly name: string
}

/** Somebody else is at it, or was. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
}

export class ImportLedger {
  readonly #file: FileIdentity
  #row: LedgerRow

  private constructor(file: FileIdentity, row: LedgerRow) {
    this.#file = file
    this.#row = row
  }

  /** @returns undefined while another process imports the file. */
  static async open(client: PoolClient, file: FileIdentity): Promise<ImportLedger | undefined> {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1, $2) as locked', [
      advisoryClass,
      lockKey(file),
    ])
    if (rows[0]?.locked !== true) return undefined
    const { rows: known } = await client.query<LedgerRow>(
      `insert into import_file as file (fingerprint, name, totals) values ($1, $2, $3)
       on conflict (fingerprint) do update set name = excluded.name,
         batch = case when (file.batch->>'seriesPerPart')::integer = $4 then file.batch end
       returning position::float8 as position, batch, totals, finished_at`,
      [file.fingerprint, file.name, createTotals(), seriesPerPart],
    )
    const [row] = known
    if (row === undefined) throw new Error('BUG: import_file has no row for a file')
    return new ImportLedger(file, row)
  }

  async close(client: PoolClient): Promise<void> {
    await client.query('select pg_advisory_unlock($1, $2)', [advisoryClass, lockKey(this.#file)])
  }

  get position(): number {
    return this.#row.position
  }

  get batch(): BatchPlan | undefined {
    return this.#row.batch ?? undefined
  }

  /** Of what is stored. */
  get totals(): Readonly<ImportTotals> {
    return this.#row.totals
  }

  get finishedAt(): Date | undefined {
    return this.#row.finished_at ?? undefined
  }

  /** Within the transaction of a part. @returns what to call when it has committed. */
  async partStored(client: PoolClient, batch: BatchPlan, totals: ImportTotals): Promise<() => void> {
    return this.#write(client, { ...this.#row, batch, totals: sumOf(this.#row.totals, totals) })
  }

  /** All parts are stored. `totals`: what was read, and is not counted with a part. */
  async batchStored(
    client: PoolClient,
    end: { readonly position: number; readonly finishedAt: Date | null },
    totals: ImportTotals,
  ): Promise<() => void> {
    const { position, finishedAt: finished_at } = end
    return this.#write(client, { position, batch: null, totals: sumOf(this.#row.totals, totals), finished_at })
  }

  /** Reads it all anew, once more. */
  async restart(client: PoolClient): Promise<void> {
    const done = await this.#write(client, { position: 0, batch: null, totals: createTotals(), finished_at: null })
    done()
  }

  async #write(client: PoolClient, row: LedgerRow): Promise<() => void> {
    // The row as we know it: a database that went back in time has another.
    const { rowCount } = await client.query(
      `update import_file set position = $2, batch = $3, totals = $4, finished_at = $5, updated_at = now()
       where fingerprint = $1 and position = $6 and coalesce((batch->>'partsDone')::integer, 0) = $7`,
      [
        this.#file.fingerprint,
        row.position,
        row.batch,
        row.totals,
        row.finished_at,
        this.#row.position,
        this.#row.batch?.partsDone ?? 0,
      ],
    )
    if (rowCount !== 1) {
      throw new LedgerError(
        `what the database says of ${this.#file.name} is not what was last stored: it lost commits, or another import of the file ran. Start the import again`,
      )
    }
    return () => {
      this.#row = row
    }
  }
}

function sumOf(before: ImportTotals, more: ImportTotals): ImportTotals {
  const sum = structuredClone(before)
  addTotals(sum, more)
  return sum
}

function lockKey({ fingerprint }: FileIdentity): number {
  return createHash('sha256').update(fingerprint).digest().readInt32BE(0)
}
