/**
 * Whether the log that a reader fetches from is still the one it has read. A topic can be deleted, made anew and filled past the
 * reader's position, and a log can lose its end (an unclean election, a disk) and grow again: the position then means another record,
 * and everything before it would be skipped in silence. What tells is the anchor, the last record known of the log: another log has
 * another append time at its position, or nothing.
 *
 *   followed without a break     fetch from next: nothing to prove
 *   after a break                fetch from the anchor. Is it there? Then what follows it is taken as if fetched from next
 *                                └ in a replay it lies past next: it is only looked at, and fetched from next after that
 *
 * A break is the first fetch for a reader, another leader, a failed fetch, an end that is before the one told last, or unseenMsMax in
 * which the partition was in no fetch: in less nobody is thought to delete, make and fill a topic. So a reader that keeps up proves
 * nothing and pays nothing; one that comes back pays a record batch, and a fetch more in a replay.
 * Instants in ms of this process' clock; append times as the batch has them.
 */
import type { LogAnchor } from '../sample-log/sample-log.ts'

/** What is fetched of an anchor past next, in bytes: mostly one record batch. Doubled while that is not enough. */
const proofBytesMin = 32 * 1024
const proofBytesMax = 128 * 1024 * 1024

export interface FetchedRecord {
  readonly offset: number
  readonly timestampMs: number
  /** Then its time tells nothing. */
  readonly damage?: string
}

/** What was fetched, from an offset on: whole record batches, and where the next one begins; undefined without any. */
export interface Fetched {
  readonly records: readonly FetchedRecord[]
  readonly nextOffset: number | undefined
}

/** found: the log is the same. missing: its record is not there. unclear: the answer does not tell. */
export type Proof = 'found' | 'missing' | 'unclear'

export class LogTrail {
  readonly #unseenMsMax: number
  #anchor: LogAnchor | undefined
  /** What the reader has been given last, or has come with: it may go on from there. */
  #known: LogAnchor | undefined
  #isBroken = true
  #isRefuted = false
  #nodeId = -1
  #seenAtMs = 0
  #proofBytes = proofBytesMin

  constructor({ unseenMsMax }: { unseenMsMax: number }) {
    this.#unseenMsMax = unseenMsMax
  }

  /** The record at the anchor is another one: the log has to say where it begins. */
  get isRefuted(): boolean {
    return this.#isRefuted
  }

  /** Reading begins anew, by what its reader knows of the log. */
  begin(anchor: LogAnchor | undefined): void {
    this.#anchor = anchor
    this.#known = anchor
    this.#isBroken = true
    this.#isRefuted = false
    this.#proofBytes = proofBytesMin
  }

  /** A reader that comes with another anchor than it was given has it from elsewhere, maybe from another log. */
  leadsOnFrom(anchor: LogAnchor | undefined): boolean {
    return anchor === undefined || isSame(anchor, this.#known)
  }

  /** It was followed without a break until now. */
  get isWhole(): boolean {
    return !this.#isBroken
  }

  break(): void {
    this.#isBroken = true
  }

  /** @returns what the fetch that is about to be made has to prove, if anything. */
  toProve({ nodeId, nowMs }: { nodeId: number; nowMs: number }): LogAnchor | undefined {
    if (nodeId !== this.#nodeId || nowMs - this.#seenAtMs > this.#unseenMsMax) this.#isBroken = true
    this.#nodeId = nodeId
    return this.#isBroken ? this.#anchor : undefined
  }

  /** How much to fetch for an anchor that lies past next. */
  get proofBytes(): number {
    return this.#proofBytes
  }

  prove(anchor: LogAnchor, { records, nextOffset }: Fetched): Proof {
    if (nextOffset === undefined || nextOffset <= anchor.position) {
      this.#proofBytes = Math.min(2 * this.#proofBytes, proofBytesMax)
      return 'unclear'
    }
    const record = records.find(({ offset, damage }) => offset === anchor.position && damage === undefined)
    // What was damaged after it was read is no other log.
    const isDamaged = record === undefined && records.some(({ offset, damage }) => damage && offset <= anchor.position)
    this.#isRefuted = !isDamaged && record?.timestampMs !== anchor.appendedAtMs
    if (!this.#isRefuted) this.#proofBytes = proofBytesMin
    return this.#isRefuted ? 'missing' : 'found'
  }

  /** Retention dropped the anchor: there is nothing to go by until the next record. */
  lose(): void {
    this.#anchor = undefined
  }

  /** An answer came that has nothing left to prove. */
  followed(nowMs: number, { records }: Fetched): void {
    this.#isBroken = false
    this.#seenAtMs = nowMs
    const last = records.findLast(({ damage }) => damage === undefined)
    if (last !== undefined) this.#anchor = { position: last.offset, appendedAtMs: last.timestampMs }
  }

  given(anchor: LogAnchor): LogAnchor {
    this.#known = anchor
    return anchor
  }
}

function isSame(one: LogAnchor, other: LogAnchor | undefined): boolean {
  return one.position === other?.position && one.appendedAtMs === other.appendedAtMs
}
