/**
 * Tables of latest values (latest-table.ts) as they were laid out, for walls that ask the same every minute: finding ten thousand series in
 * the dictionary takes as long as reading their values. The dictionary only grows, so a table is whole as long as it has no newer series. Of
 * two that are added at one time the one with the lower id may be committed last, so no table is believed for longer than ageMsMax.
 */
import type { Table } from './latest-table.ts'

/** What the dictionary says of itself, in one probe of an index. */
export interface DictionaryState {
  readonly newestSeriesId: number | null
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
    const { newestSeriesId, serverStartedAt } = kept.state
    const isWhole = newestSeriesId === state.newestSeriesId && serverStartedAt === state.serverStartedAt
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
