/**
 * Tables of latest values (latest-table.ts) as they were laid out, for walls that ask the same every minute: finding ten thousand series in
 * the dictionary takes as long as reading their values. Series are added to the dictionary, never changed or deleted, with ids in no order
 * (aggregator/src/series-ids.ts fills chunks that were begun before): so a table is whole as long as the dictionary counts as many series of
 * its metrics. Whoever uses a table has to count before, and to count before finding the series of a new one. None is believed for
 * longer than ageMsMax: rows may have been deleted and added by hand.
 */
import type { Table } from './latest-table.ts'

/** What the dictionary says of itself, by an index alone. */
export interface DictionaryState {
  /** Of the metrics that are asked for. */
  readonly seriesCount: number
  /** When the database server started: what comes after a restart may be a restored database. */
  readonly serverStartedAt: string
}

interface Kept {
  readonly table: Table
  readonly state: DictionaryState
  readonly keptAtMs: number
}

const ageMsMax = 120_000
/** An id, a place, a string and their share of the maps. */
const seriesBytes = 200

export class LatestTables {
  readonly #bytesMax: number
  readonly #onBytes: (bytes: number) => void
  /** Least recently used first. */
  readonly #tables = new Map<string, Kept>()
  #bytes = 0

  constructor(bytesMax: number, observer: { readonly bytes: (bytes: number) => void }) {
    this.#bytesMax = bytesMax
    this.#onBytes = observer.bytes
  }

  get(key: string, { state, nowMs }: { readonly state: DictionaryState; readonly nowMs: number }): Table | undefined {
    const kept = this.#tables.get(key)
    if (kept === undefined) return undefined
    this.#tables.delete(key)
    const { seriesCount, serverStartedAt } = kept.state
    const isWhole = seriesCount === state.seriesCount && serverStartedAt === state.serverStartedAt
    if (isWhole && Math.abs(nowMs - kept.keptAtMs) < ageMsMax) {
      this.#tables.set(key, kept)
      return kept.table
    }
    this.#change(-bytesOf(kept.table))
    return undefined
  }

  put(key: string, table: Table, { state, nowMs }: { readonly state: DictionaryState; readonly nowMs: number }): void {
    const before = this.#tables.get(key)
    if (before !== undefined && this.#tables.delete(key)) this.#change(-bytesOf(before.table))
    this.#tables.set(key, { table, state, keptAtMs: nowMs })
    this.#change(bytesOf(table))
    for (const [oldestKey, oldest] of this.#tables) {
      if (this.#bytes <= this.#bytesMax) break
      this.#tables.delete(oldestKey)
      this.#change(-bytesOf(oldest.table))
    }
  }

  #change(bytes: number): void {
    this.#bytes += bytes
    this.#onBytes(this.#bytes)
  }
}

const bytesOf = ({ slotOf }: Table): number => seriesBytes * (1 + slotOf.size)
