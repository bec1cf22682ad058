/**
 * A fetch session with one broker (KIP-227): the broker remembers which partitions are fetched from where, a request names only
 * what changed, and an answer only what there is to say. Pure: request, answer, request, and so on, never two requests at once.
 *
 *   full (epoch 0) ──> the answer has a session id ──> epoch 1 ──> epoch 2 ──> ...
 *     ^  └ it has none: the broker has no room for one more; full again   │
 *     └───────────────── refused, lost or not understood ─────────────────┘
 *
 * What silence about a partition means. The broker leaves out a partition that has neither records within the limits of the
 * answer, nor an error, nor another high watermark than it told last. So the high watermark is the one told last, and nothing
 * else follows: an answer that is full is silent about partitions that have records, too. Whether this is the end is therefore
 * for the caller to see from high watermark and offset, as if the partition had been answered with no records.
 * Silence means nothing in an answer that was throttled (a quota empties it, and the broker tells its news the next time), and
 * about a partition whose high watermark was not told in this session: new in it, or in error, after which the broker tells it anew.
 *
 * The broker moves a partition that it gave records of to the end of the session, so that all get their turn in full answers.
 */
import { keyOf } from './kafka-cluster.ts'
import type { FetchAnswer, FetchedPart, FetchPart, FetchRequest } from './log-requests.ts'

/** What the broker has in the session. */
interface Remembered {
  part: FetchPart
  /** What it says of the partition by leaving it out; undefined while that means nothing. */
  silence: FetchedPart | undefined
}

const nothing = Buffer.alloc(0)
/** Behind it comes 1. */
const largestEpoch = 2 ** 31 - 1

export class FetchSession {
  readonly #epochMax: number
  #id = 0
  #epoch = 0
  /** As large as what is fetched at once: the partitions of one broker. */
  readonly #remembered = new Map<string, Remembered>()

  constructor(epochMax = largestEpoch) {
    this.#epochMax = epochMax
  }

  /** The next request names everything it wants. */
  get isFull(): boolean {
    return this.#epoch === 0
  }

  /** Asks for these, by their keys, and for nothing else. The order counts for those that are new in the session. */
  request(wanted: ReadonlyMap<string, FetchPart>): FetchRequest {
    if (this.#epoch === 0) this.#remembered.clear()
    const parts: FetchPart[] = []
    for (const [key, part] of wanted) {
      const known = this.#remembered.get(key)
      if (known === undefined) this.#remembered.set(key, { part, silence: undefined })
      else if (known.part.offset === part.offset && known.part.bytesMax === part.bytesMax) continue
      else known.part = part
      parts.push(part)
    }
    const request = { sessionId: this.#id, epoch: this.#epoch, parts }
    return { ...request, forgotten: this.#remembered.size > wanted.size ? this.#forget(wanted) : [] }
  }

  /** Of a successful answer: tells all that is known by it, also of partitions that it left out. */
  answered({ sessionId, throttleMs, parts }: FetchAnswer, tell: (key: string, part: FetchedPart) => void): void {
    const isIncremental = this.#epoch > 0
    const isGoingOn = isIncremental && sessionId === this.#id
    if (isGoingOn) this.#epoch = this.#epoch === this.#epochMax ? 1 : this.#epoch + 1
    else if (isIncremental) this.failed()
    else if (sessionId !== 0) this.#epoch = 1
    if (!isIncremental) this.#id = sessionId
    const told = new Set<string>()
    for (const part of parts) {
      const key = keyOf(part)
      const known = this.#remembered.get(key)
      if (known === undefined) continue
      known.silence = part.errorCode === 0 ? { ...part, recordSet: nothing } : undefined
      told.add(key)
      tell(key, part)
    }
    if (!isGoingOn || throttleMs > 0) return
    for (const [key, { silence }] of this.#remembered) {
      if (silence !== undefined && !told.has(key)) tell(key, silence)
    }
  }

  /** The next request begins anew, and tells the broker to give up the session it may still have. */
  failed(): void {
    this.#epoch = 0
  }

  #forget(wanted: ReadonlyMap<string, FetchPart>): FetchPart[] {
    const forgotten: FetchPart[] = []
    for (const [key, { part }] of this.#remembered) {
      if (wanted.has(key)) continue
      this.#remembered.delete(key)
      forgotten.push(part)
    }
    return forgotten
  }
}
