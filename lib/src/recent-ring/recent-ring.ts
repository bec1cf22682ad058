/**
 * The recent ring: the minutes of the last days, faster to read than Postgres, allowed to vanish at any time. Two
 * implementations (RedisRecentRing, AbsentRecentRing), one contract suite (recent-ring-contract.ts).
 *
 * A ring holds *states* of minutes, as they were in Postgres at some time: (seen, min, max, sum). A minute's states in
 * Postgres only grow (seen is a set that is added to), so of two states the one that has seen more is the newer. The
 * ring keeps that one, whatever the order in which they come. What it does not hold, or not without doubt, is *not
 * covered* and is read from Postgres. A ring never says that a minute is empty.
 *
 * Why a reader is never told less than it may be told. Names: c = what the reader takes for completeThrough; T = a transaction that
 * stores minutes; S = the ring's identity (epoch, run id), one row of Postgres.
 *
 *   writer   begin ── read S ── store rows ── commit T ── push rows under S ── (failed and merged? void S) ── commit log
 *   reader   read c ── read S ── read the ring under S, if connected to the Redis of that run id ── Postgres for the rest
 *   repair   read S ── read c ── read rows of Postgres before c ── push them under S ── mark S as filled
 *
 * 1. All that stands under S was in Postgres when S was current already: who pushes has read S before the rows. So
 *    nothing under S is older than S, whoever pushes it, however late, gathered first or not.
 * 2. A row that T *merged* (the ring may hold an older state of it) is pushed under S, or S is voided, before the log is
 *    committed. T locks S, so S is current when T commits, and 1 covers every later identity. When the process dies
 *    in between, the log has its records still: the next owner merges them again and pushes the rows as stored.
 * 3. A row that T inserted has no older state in the ring: losing its push only leaves it uncovered. So a Redis that is
 *    away, full or slow costs nothing but speed.
 * 4. A part of a minute that is still open is not pushed (aggregator/src/push-minutes.ts), nor what is at or after c by the repair.
 *    So whatever the ring holds of a minute before c has all that was in the minute when it closed; only late data can be
 *    missing, for as long as 2 takes. That is what Postgres would have answered a moment ago.
 * 5. A Redis that restarted from an old snapshot, and a replica that was promoted, have another run id: their content is
 *    not read. A reader whose connection still leads to the old primary reads there only while S names it: any merge
 *    that did not get there has voided S.
 * 6. A Postgres that lost commits may give an id to another series, so keys have 32 bits of the series' identity besides; and
 *    epochs are clock readings, so a lost epoch is not used again. Whoever notices the loss voids S: the writer at its next
 *    write, or whoever follows it, by the version that the last commit in the log names (aggregator/src/resume-position.ts).
 *
 * What remains. (a) A primary that was demoted by hand, without its connections being closed, and copied its successor's content:
 * merges that had not been replicated are missing there until the repair, which looks every few seconds, sees the new run id.
 * (b) A push that was paused between leaving its queue and the socket, a flush of Redis in that moment, and a merge of the
 * same row by another process: the old state shows until the repair comes to it. (c) After a crash as in 2 late data
 * shows after the replay, seconds to a minute. (d) Clocks of Redis and ours that differ by more than an hour.
 */

/** Which ring: a row of Postgres (ring-state.ts). */
export interface RingIdentity {
  /** A 64-bit integer as text. */
  readonly epoch: string
  /** Of the Redis that holds it; undefined: there is no ring. */
  readonly runId: string | undefined
}

export interface RingSeries {
  readonly seriesId: number
  /** 32 bits of the series' identity (identityTag), unsigned. */
  readonly tag: number
}

/** Rows as columns, as stored in Postgres. Rows of one series and hour that follow each other cost least. */
export interface RingRows {
  readonly count: number
  readonly seriesIds: Int32Array
  readonly tags: Uint32Array
  /** Minutes since the epoch. */
  readonly minutes: Uint32Array
  /** Bits 0 to 31 of `seen`, and 32 to 59. */
  readonly seenLow: Uint32Array
  readonly seenHigh: Uint32Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
}

/** Columns for so many rows, all zero. */
export function emptyRingRows(count: number) {
  return {
    count,
    seriesIds: new Int32Array(count),
    tags: new Uint32Array(count),
    minutes: new Uint32Array(count),
    seenLow: new Uint32Array(count),
    seenHigh: new Uint32Array(count),
    min: new Float64Array(count),
    max: new Float64Array(count),
    sum: new Float64Array(count),
  } satisfies RingRows
}

/** late: it is still on its way, and may or may not get there. */
export type PushOutcome = 'pushed' | 'late' | 'dropped'

export interface RingQuestion {
  readonly series: readonly RingSeries[]
  readonly fromMs: number
  /** Half-open. */
  readonly toMs: number
  /** Only asked when the ring could have an answer. */
  readonly identity: () => Promise<RingIdentity>
}

/** Slot = row * minuteCount + minute; row: of the question's series. */
export interface RingReading {
  readonly fromMs: number
  readonly minuteCount: number
  /** 1: the other columns hold this minute. Anything else: ask Postgres. */
  readonly covered: Uint8Array
  readonly coveredCount: number
  readonly seenLow: Uint32Array
  readonly seenHigh: Uint32Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
}

export interface RecentRing {
  /** How far back it reaches. */
  readonly hours: number
  /** Of the Redis that is connected now. */
  readonly runId: string | undefined
  /**
   * Never rejects. Takes no longer than the write budget. urgent: at once, and before what waits already; otherwise the
   * ring may wait for more. The rows are the ring's from then on.
   */
  push(identity: RingIdentity, rows: RingRows, urgency?: 'urgent'): Promise<PushOutcome>
  /** Never rejects. Undefined: nothing is covered. Takes no longer than the read budget, but for identity(). */
  read(question: RingQuestion): Promise<RingReading | undefined>
  /** push for the repair: waits for each part. @throws RedisError */
  fill(identity: RingIdentity, rows: RingRows): Promise<void>
  /** How far the repair has come: what `mark` was last told, if Redis still has it. @throws RedisError */
  marked(identity: RingIdentity): Promise<string | undefined>
  /** @returns false, and changes nothing, when there is a mark at `begin`, or none any more at `continue`. @throws RedisError */
  mark(identity: RingIdentity, detail: string, step: 'begin' | 'continue'): Promise<boolean>
}

/** The tag of a series, from the uuid that is its identity (schema/src/series-identity.ts). */
export function identityTag(identity: string): number {
  return Number.parseInt(identity.slice(0, 8), 16)
}
