/**
 * What a flush tells the ring: rows as they are in Postgres after it, with the identity of the ring that they are for.
 * Pure. Minutes that are not closed yet are left out: the ring must not have a part of a minute that readers take for
 * all of it once completeThrough has passed it (lib/src/recent-ring/recent-ring.ts).
 */
import { emptyRingRows, type RingIdentity, type RingRows } from '@minutely/lib/recent-ring/recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import type { MinuteRows } from './minute-chunks.ts'

export interface RingPush {
  readonly identity: RingIdentity
  /** The ring can have no older state of these. */
  readonly copied: RingRows
  /** The ring may have an older state of these. */
  readonly merged: RingRows
}

interface Part {
  readonly rows: MinuteRows
  readonly tags: Uint32Array
}

export class RingPushBuilder {
  /** As it is when the transaction commits, if there are merged rows. */
  identity: RingIdentity
  readonly #closedThroughMs: number
  readonly #copied: Part[] = []
  readonly #merged: Part[] = []

  constructor(identity: RingIdentity, closedThroughMs: number) {
    this.identity = identity
    this.#closedThroughMs = closedThroughMs
  }

  addCopied(rows: MinuteRows, tags: Uint32Array): void {
    if (this.#isClosed(rows)) this.#copied.push({ rows, tags })
  }

  addMerged(rows: MinuteRows, tags: Uint32Array): void {
    if (this.#isClosed(rows)) this.#merged.push({ rows, tags })
  }

  build(): RingPush {
    // Nobody reads a ring that is not there.
    const isThere = this.identity.runId !== undefined
    const { identity } = this
    return { identity, copied: ringRows(isThere ? this.#copied : []), merged: ringRows(isThere ? this.#merged : []) }
  }

  #isClosed(rows: MinuteRows): boolean {
    return rows.minuteMs + minuteMs <= this.#closedThroughMs
  }
}

function ringRows(parts: readonly Part[]): RingRows {
  const count = parts.reduce((sum, { rows }) => sum + rows.rolled.rowCount, 0)
  const columns = emptyRingRows(count)
  let at = 0
  for (const { rows, tags } of parts) {
    const { rolled, seriesIds } = rows
    columns.seriesIds.set(seriesIds, at)
    columns.tags.set(tags, at)
    columns.minutes.fill(rows.minuteMs / minuteMs, at, at + rolled.rowCount)
    columns.min.set(rolled.min, at)
    columns.max.set(rolled.max, at)
    columns.sum.set(rolled.sum, at)
    for (let row = 0; row < rolled.rowCount; row++) {
      // Two halves of 30 bits to halves of 32 and 28.
      const [low, high] = [rolled.seenLow[row] as number, rolled.seenHigh[row] as number]
      columns.seenLow[at + row] = low | (high << 30)
      columns.seenHigh[at + row] = high >>> 2
    }
    at += rolled.rowCount
  }
  return columns
}
