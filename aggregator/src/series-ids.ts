/**
 * Ids for new series, by the chunk of 32 that the hot tier stores as one block (schema/src/minute-block). A chunk is taken from a
 * sequence and filled in order by one owner, a partition of the log and tenant: two partitions in one chunk would have to merge their halves of each
 * of its blocks. What an owner has not used when the process ends stays unused: of 67 million chunks at most one for each owner and start.
 */
import type { Pool } from '@minutely/lib/postgres/pool'
import { firstIdOf, seriesPerChunk } from '@minutely/schema/minute-block/minute-block'

interface OpenChunk {
  nextId: number
  endId: number
}

/** Owners whose chunk is remembered; past it all are forgotten, and chunks stay partly empty. */
const ownersMax = 20_000

export class SeriesIds {
  readonly #pool: Pool
  readonly #open = new Map<string, OpenChunk>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  forget(): void {
    this.#open.clear()
  }

  /** An id for each owner named, in order. */
  async take(owners: readonly string[]): Promise<number[]> {
    const spare = await this.#reserve(owners)
    const ids: number[] = []
    for (const owner of owners) {
      let open = this.#open.get(owner)
      if (open === undefined || open.nextId === open.endId) {
        // While we waited another may have taken what was left of it, or all were forgotten.
        const first = firstIdOf(spare.pop() ?? ((await this.#newChunks(1))[0] as number))
        open = { nextId: first, endId: first + seriesPerChunk }
        this.#open.set(owner, open)
      }
      ids.push(open.nextId++)
    }
    return ids
  }

  /** @returns as many chunks as they will need, the next one last. */
  async #reserve(owners: readonly string[]): Promise<number[]> {
    if (this.#open.size > ownersMax) this.#open.clear()
    const counts = new Map<string, number>()
    for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1)
    let chunks = 0
    for (const [owner, count] of counts) {
      const open = this.#open.get(owner)
      const left = open === undefined ? 0 : open.endId - open.nextId
      chunks += Math.ceil(Math.max(0, count - left) / seriesPerChunk)
    }
    return chunks === 0 ? [] : (await this.#newChunks(chunks)).reverse()
  }

  async #newChunks(count: number): Promise<number[]> {
    const { rows } = await this.#pool.query<{ chunk: number }>(
      "select nextval('series_chunk')::integer as chunk from generate_series(1, $1)",
      [count],
    )
    return rows.map(({ chunk }) => chunk)
  }
}
