/**
 * One partition on its way from the broker to its reader: what is fetched and not yet read, and from where to fetch on.
 *
 *        start                      next                   high watermark
 *   ───────┼── fetched, not read ─────┼── not fetched ────────┼──
 *          └ the next read begins here, or anywhere else: then everything is dropped and fetched again from there
 *
 * One read at a time; of two the one that goes on gets what it asked for. The end is only called reached when a fetch that began after the read was called found nothing: what was
 * appended before the call is then never missed (believed-end.ts). Positions that are not in the log become a gap, never a silent jump.
 */
import type { Clock } from '../clock.ts'
import type { LogAnchor, LogBatch, LogGap, LogRead, LogRecord } from '../sample-log/sample-log.ts'
import { BelievedEnd } from './believed-end.ts'
import type { FetchBudget } from './fetch-budget.ts'
import { FetchedBlocks } from './fetched-blocks.ts'
import { keyOf, type TopicPartition } from './kafka-cluster.ts'
import { logRecordOf } from './log-record.ts'
import type { FetchPart } from './log-requests.ts'
import { LogTrail } from './log-trail.ts'
import type { ReadWaits } from './read-waits.ts'
import { decodeRecordSet, type RecordSet, type StoredRecord } from './record-batch.ts'
import type { RecordFraming } from './record-framing.ts'

const fetchBytesMax = 128 * 1024 * 1024

export interface PartitionReaderDeps {
  readonly budget: FetchBudget
  readonly framing: RecordFraming
  readonly clock: Clock
  readonly waits: ReadWaits
  readonly bytesMax: number
  /** How much longer than asked a read waits for the answer of a fetch that tells whether this is the end. */
  readonly graceMs: number
  /** A partition that was in no fetch for longer has to prove that it is still the same log (log-trail.ts). */
  readonly unseenMsMax: number
  /** Orders reads and fetches. */
  readonly nextSequence: () => number
  /** There is something to fetch. */
  readonly onWanting: (reader: PartitionReader) => void
}

/** What is fetched for a reader, and of which of its rounds. */
export interface FetchTicket extends FetchPart {
  readonly reader: PartitionReader
  readonly round: number
  readonly sequence: number
  /** What its reader needs next: the offset, but for a proof. */
  readonly next: number
  /** To be found at the offset. */
  readonly anchor: LogAnchor | undefined
}

const noRecords: RecordSet = { records: [], nextOffset: undefined }

export class PartitionReader implements TopicPartition {
  readonly topic: string
  readonly partition: number
  /** keyOf: made once, since it is asked for with every fetch. */
  readonly key: string
  readonly incarnation: number
  /** Not to be fetched before; after an error. */
  retryAtMs = 0
  /** Bytes to ask for; grows when the next record is larger. */
  fetchBytes: number
  /** When a fetch last brought all it could, to take turns: an answer ends where its bytes do. */
  servedSequence = 0
  isFetching = false
  readonly end = new BelievedEnd()
  readonly #deps: PartitionReaderDeps
  readonly #blocks: FetchedBlocks
  readonly #trail: LogTrail
  #start = -1
  #next = -1
  #highWatermark = -1
  #round = 0
  #gap: LogGap | undefined
  #lastAppendedAtMs = 0
  #isClosed = false
  #waitMs: number | undefined
  /** The reader has waited as long as it wanted, and only wants to know whether this is the end. */
  #isOverdue = false
  #notify: () => void = nobody

  constructor({ topic, partition }: TopicPartition, incarnation: number, deps: PartitionReaderDeps) {
    this.topic = topic
    this.partition = partition
    this.key = keyOf(this)
    this.incarnation = incarnation
    this.fetchBytes = deps.bytesMax
    this.#deps = deps
    this.#blocks = new FetchedBlocks(deps.budget)
    this.#trail = new LogTrail(deps)
  }

  /** The longest wait of a reader that has nothing, ms; undefined when none waits. */
  get waitMs(): number | undefined {
    return this.#blocks.isEmpty ? this.#waitMs : undefined
  }

  get lagRecords(): number {
    return Math.max(0, this.#highWatermark - this.#start)
  }

  /** Age of the oldest record that waits for its reader, seconds. */
  lagSeconds(nowMs: number): number {
    const record = this.#blocks.first
    return record === undefined ? 0 : Math.max(0, nowMs - record.timestampMs) / 1000
  }

  wantsFetch(nowMs: number): boolean {
    const isReady = this.#next >= 0 && !this.#isClosed && !this.isFetching && this.#gap === undefined
    return isReady && nowMs >= this.retryAtMs && this.#blocks.bytes < this.#deps.bytesMax
  }

  /** For a fetch from that broker. */
  ticket(sequence: number, nodeId: number): FetchTicket {
    this.isFetching = true
    const { topic, partition, fetchBytes } = this
    const next = this.#next
    const anchor = this.#trail.toProve({ nodeId, nowMs: this.#deps.clock.nowMs() })
    const bytesMax = anchor === undefined || anchor.position < next ? fetchBytes : this.#trail.proofBytes
    const offset = anchor?.position ?? next
    const ticket = { topic, partition, offset, bytesMax, reader: this, round: this.#round, sequence, next, anchor }
    this.end.fetching(ticket, this.#trail)
    return ticket
  }

  /** @returns false when it is to be seen from the log's range (outOfRange) whether this is still the same log. */
  accept(ticket: FetchTicket, { highWatermark, recordSet }: { highWatermark: number; recordSet: Buffer }): boolean {
    this.isFetching = false
    if (this.#isStale(ticket)) return true
    // A copy: a view of a few bytes would keep the whole answer in memory.
    const set = recordSet.length > 0 ? decodeRecordSet(Buffer.from(recordSet)) : noRecords
    if (recordSet.length > 0 && set.nextOffset === undefined) {
      this.fetchBytes = Math.min(2 * this.fetchBytes, fetchBytesMax)
    }
    const { anchor, next } = ticket
    if (anchor === undefined && highWatermark < this.#highWatermark) {
      this.#trail.break()
      this.#highWatermark = highWatermark
      return true
    }
    if (anchor !== undefined) {
      const proof = this.#trail.prove(anchor, set)
      if (proof === 'unclear') return highWatermark > anchor.position
      if (proof === 'missing') return false
    }
    const isReplay = anchor !== undefined && anchor.position >= next
    this.#follow(ticket, { highWatermark, set: isReplay ? noRecords : set })
    return true
  }

  #follow(ticket: FetchTicket, { highWatermark, set }: { highWatermark: number; set: RecordSet }): void {
    this.#highWatermark = highWatermark
    this.#trail.followed(this.#deps.clock.nowMs(), set)
    if (set.nextOffset !== undefined) {
      this.#blocks.hold(set.records.filter(({ offset }) => offset >= this.#next))
      this.#next = Math.max(this.#next, set.nextOffset)
      this.fetchBytes = this.#deps.bytesMax
    }
    const isEnd = this.#next >= highWatermark
    if (isEnd) this.end.reach(ticket)
    if (isEnd || this.#next > ticket.next) this.servedSequence = ticket.sequence
    // With thousands of idle partitions it counts that nobody is woken for nothing.
    if (!this.#blocks.isEmpty || this.#isOverdue) this.#notify()
  }

  /** What the broker of the last fetch said is the end, when it was asked after that. */
  proveEnd(ticket: FetchTicket, end: number): void {
    if (!this.end.prove(ticket) || this.#isClosed || ticket.round !== this.#round) return
    if (this.#next >= end) this.end.reach(ticket)
    if (this.#isOverdue) this.#notify()
  }

  /** A fetch of it failed: what the log has been through meanwhile is not known. */
  failed(): void {
    this.#trail.break()
  }

  /** What was fetched, or had to be proved, is not in the log, which has [oldest, next). */
  outOfRange(ticket: FetchTicket, { oldest, next }: { oldest: number; next: number }): void {
    this.isFetching = false
    if (this.#isStale(ticket)) return
    const fromPosition = this.#next
    const anchorAt = ticket.anchor?.position
    const isOther = this.#trail.isRefuted || (anchorAt !== undefined && anchorAt >= next) || fromPosition > next
    if (!isOther && anchorAt !== undefined && anchorAt < oldest) this.#trail.lose()
    if (!isOther && fromPosition >= oldest) return
    this.#gap = { fromPosition, toPosition: oldest, reason: isOther ? 'rewound' : 'retention' }
    this.#notify()
  }

  /** It is no longer ours: who reads it is told, now and from now on. */
  close(): void {
    this.#isClosed = true
    this.#blocks.drop()
    this.#notify()
  }

  /** @throws SchemaUnavailableError; or Error when the partition is not ours. */
  async read({ position, bytesMax, waitMs, anchor, signal }: LogRead): Promise<LogBatch> {
    const { clock } = this.#deps
    const since = this.#deps.nextSequence()
    const untilMs = clock.nowMs() + waitMs
    this.#seek(position, anchor)
    this.#waitMs = waitMs
    try {
      for (;;) {
        if (this.#isClosed) throw new Error(`partition ${this.key} belongs to another member now`)
        // A read that its owner has given up may have gone elsewhere meanwhile.
        if (this.#start !== position) this.#seek(position, anchor)
        if (!this.#blocks.isEmpty) return await this.#take(bytesMax, since)
        if (this.#gap !== undefined) return this.#cross(this.#gap)
        if (signal?.aborted) return { records: [], nextPosition: position, atEnd: true }
        const isEnd = this.end.sequence > since
        const nowMs = clock.nowMs()
        if (nowMs >= untilMs && (isEnd || nowMs >= untilMs + this.#deps.graceMs)) {
          return { records: [], nextPosition: position, atEnd: isEnd }
        }
        this.#deps.onWanting(this)
        this.#isOverdue = nowMs >= untilMs
        await this.#change(nowMs < untilMs ? untilMs : untilMs + this.#deps.graceMs, signal)
      }
    } finally {
      this.#waitMs = undefined
      this.#isOverdue = false
    }
  }

  /** It was asked for before the reader went elsewhere, or another answer came first. */
  #isStale({ round, next }: FetchTicket): boolean {
    return this.#isClosed || round !== this.#round || next !== this.#next
  }

  #seek(position: number, anchor: LogAnchor | undefined): void {
    const isHere = this.#start >= 0 && position >= this.#start && position <= this.#next
    if (!isHere || !this.#trail.leadsOnFrom(anchor)) {
      this.#blocks.drop()
      this.#trail.begin(anchor)
      this.#round++
      this.#next = position
      this.#highWatermark = -1
      this.end.begin()
      this.#gap = undefined
      this.#lastAppendedAtMs = 0
      this.retryAtMs = 0
    }
    this.#start = position
    while ((this.#blocks.first?.offset ?? position) < position) this.#blocks.shift()
  }

  async #take(bytesMax: number, since: number): Promise<LogBatch> {
    const records: LogRecord[] = []
    let bytes = 0
    let last: StoredRecord | undefined
    let sound: StoredRecord | undefined
    for (let stored = this.#blocks.first; stored !== undefined; stored = this.#blocks.first) {
      if (records.length > 0 && bytes + stored.value.length > bytesMax) break
      let record: LogRecord
      try {
        this.#lastAppendedAtMs = Math.max(this.#lastAppendedAtMs, stored.timestampMs)
        const unframed = logRecordOf(stored, this.#lastAppendedAtMs, this.#deps)
        record = unframed instanceof Promise ? await unframed : unframed
      } catch (error) {
        // What was read before it is not held up; the next read meets it again.
        if (records.length > 0) break
        throw error
      }
      // Waiting for a schema may have taken long enough to lose the partition.
      if (this.#isClosed) throw new Error(`partition ${this.key} belongs to another member now`)
      if (this.#blocks.first !== stored) throw new Error(`partition ${this.key} was read from elsewhere meanwhile`)
      records.push(record)
      bytes += stored.value.length
      last = stored
      if (stored.damage === undefined) sound = stored
      this.#blocks.shift()
    }
    this.#start = this.#blocks.isEmpty ? this.#next : (last?.offset ?? this.#start - 1) + 1
    if (this.#blocks.bytes < this.#deps.bytesMax) this.#deps.onWanting(this)
    const batch = { records, nextPosition: this.#start, atEnd: this.#blocks.isEmpty && this.end.sequence > since }
    if (sound === undefined) return batch
    return { ...batch, anchor: this.#trail.given({ position: sound.offset, appendedAtMs: sound.timestampMs }) }
  }

  #cross(gap: LogGap): LogBatch {
    // The next read begins anew, also if it asks for the same position again.
    this.#start = -1
    return { records: [], nextPosition: gap.toPosition, atEnd: false, gap }
  }

  async #change(untilMs: number, signal: AbortSignal | undefined): Promise<void> {
    const wait = this.#deps.waits.begin(untilMs, signal)
    this.#notify = wait.end
    await wait.ended
    this.#notify = nobody
  }
}

function nobody(): void {}
