/**
 * One partition on its way from the broker to its reader: what is fetched and not yet read, and from where to fetch on.
 *
 *        start                      next                   high watermark
 *   ───────┼── fetched, not read ─────┼── not fetched ────────┼──
 *          └ the next read begins here, or anywhere else: then everything is dropped and fetched again from there
 *
 * One read at a time; of two the one that goes on gets what it asked for. The end is only called reached when a fetch that began after the read was called found nothing: what was
 * appended before the call is then never missed. Positions that are not in the log become a gap, never a silent jump.
 */
import type { Clock } from '../clock.ts'
import type { LogBatch, LogGap, LogRead, LogRecord } from '../sample-log/sample-log.ts'
import type { FetchBudget } from './fetch-budget.ts'
import { keyOf, type TopicPartition } from './kafka-cluster.ts'
import type { FetchPart } from './log-requests.ts'
import type { ReadWaits } from './read-waits.ts'
import { damagedBatchReason, decodeRecordSet, type StoredRecord } from './record-batch.ts'
import { type RecordFraming, UnreadableRecordError } from './record-framing.ts'

/** Memory of a record beside its bytes, roughly. */
const recordOverheadBytes = 200
const fetchBytesMax = 128 * 1024 * 1024

export interface PartitionReaderDeps {
  readonly budget: FetchBudget
  readonly framing: RecordFraming
  readonly clock: Clock
  readonly waits: ReadWaits
  readonly bytesMax: number
  /** How much longer than asked a read waits for the answer of a fetch that tells whether this is the end. */
  readonly graceMs: number
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
}

interface Block {
  readonly records: readonly StoredRecord[]
  readonly bytes: number
  at: number
}

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
  readonly #deps: PartitionReaderDeps
  readonly #blocks: Block[] = []
  #bytes = 0
  #start = -1
  #next = -1
  #highWatermark = -1
  #round = 0
  /** Of the last fetch that found the end at #next. */
  #endSequence = -1
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
  }

  /** The longest wait of a reader that has nothing, ms; undefined when none waits. */
  get waitMs(): number | undefined {
    return this.#blocks.length === 0 ? this.#waitMs : undefined
  }

  get lagRecords(): number {
    return Math.max(0, this.#highWatermark - this.#start)
  }

  /** Age of the oldest record that waits for its reader, seconds. */
  lagSeconds(nowMs: number): number {
    const [block] = this.#blocks
    const record = block?.records[block.at]
    return record === undefined ? 0 : Math.max(0, nowMs - record.timestampMs) / 1000
  }

  wantsFetch(nowMs: number): boolean {
    const isReady = this.#next >= 0 && !this.#isClosed && !this.isFetching && this.#gap === undefined
    return isReady && nowMs >= this.retryAtMs && this.#bytes < this.#deps.bytesMax
  }

  ticket(sequence: number): FetchTicket {
    this.isFetching = true
    const { topic, partition, fetchBytes: bytesMax } = this
    return { topic, partition, offset: this.#next, bytesMax, reader: this, round: this.#round, sequence }
  }

  accept(ticket: FetchTicket, { highWatermark, recordSet }: { highWatermark: number; recordSet: Buffer }): void {
    this.isFetching = false
    if (this.#isStale(ticket)) return
    this.#highWatermark = highWatermark
    if (recordSet.length > 0) this.#acceptRecords(recordSet)
    const isEnd = this.#next >= highWatermark
    if (isEnd) this.#endSequence = ticket.sequence
    if (isEnd || this.#next > ticket.offset) this.servedSequence = ticket.sequence
    // With thousands of idle partitions it counts that nobody is woken for nothing.
    if (this.#blocks.length > 0 || this.#isOverdue) this.#notify()
  }

  #acceptRecords(recordSet: Buffer): void {
    // A copy: a view of a few bytes would keep the whole answer in memory.
    const { records, nextOffset } = decodeRecordSet(Buffer.from(recordSet))
    if (nextOffset === undefined) {
      this.fetchBytes = Math.min(2 * this.fetchBytes, fetchBytesMax)
      return
    }
    this.#hold(records.filter(({ offset }) => offset >= this.#next))
    this.#next = Math.max(this.#next, nextOffset)
    this.fetchBytes = this.#deps.bytesMax
  }

  /** The position that was fetched is not in the log, which has [oldest, next). */
  outOfRange(ticket: FetchTicket, { oldest, next }: { oldest: number; next: number }): void {
    this.isFetching = false
    if (this.#isStale(ticket)) return
    const fromPosition = this.#next
    if (fromPosition >= oldest && fromPosition <= next) return
    const reason = fromPosition < oldest ? 'retention' : 'rewound'
    this.#gap = { fromPosition, toPosition: oldest, reason }
    this.#notify()
  }

  /** It is no longer ours: who reads it is told, now and from now on. */
  close(): void {
    this.#isClosed = true
    this.#drop()
    this.#notify()
  }

  /** @throws SchemaUnavailableError; or Error when the partition is not ours. */
  async read({ position, bytesMax, waitMs, signal }: LogRead): Promise<LogBatch> {
    const { clock } = this.#deps
    const since = this.#deps.nextSequence()
    const untilMs = clock.nowMs() + waitMs
    this.#seek(position)
    this.#waitMs = waitMs
    try {
      for (;;) {
        if (this.#isClosed) throw new Error(`partition ${this.topic}/${this.partition} belongs to another member now`)
        // A read that its owner has given up may have gone elsewhere meanwhile.
        if (this.#start !== position) this.#seek(position)
        if (this.#blocks.length > 0) return await this.#take(bytesMax, since)
        if (this.#gap !== undefined) return this.#cross(this.#gap)
        if (signal?.aborted) return { records: [], nextPosition: position, atEnd: true }
        const isEnd = this.#endSequence > since
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
  #isStale({ round, offset }: FetchTicket): boolean {
    return this.#isClosed || round !== this.#round || offset !== this.#next
  }

  #seek(position: number): void {
    if (this.#start < 0 || position < this.#start || position > this.#next) {
      this.#drop()
      this.#round++
      this.#next = position
      this.#highWatermark = -1
      this.#endSequence = -1
      this.#gap = undefined
      this.#lastAppendedAtMs = 0
      this.retryAtMs = 0
    }
    this.#start = position
    for (let [block] = this.#blocks; block !== undefined; [block] = this.#blocks) {
      while ((block.records[block.at]?.offset ?? position) < position) block.at++
      if (!this.#shiftIfRead(block)) return
    }
  }

  async #take(bytesMax: number, since: number): Promise<LogBatch> {
    const records: LogRecord[] = []
    let bytes = 0
    for (let [block] = this.#blocks; block !== undefined; [block] = this.#blocks) {
      const stored = block.records[block.at] as StoredRecord
      if (records.length > 0 && bytes + stored.value.length > bytesMax) break
      let record: LogRecord
      try {
        const unframed = this.#unframe(stored)
        record = unframed instanceof Promise ? await unframed : unframed
      } catch (error) {
        // What was read before it is not held up; the next read meets it again.
        if (records.length > 0) break
        throw error
      }
      // Waiting for a schema may have taken long enough to lose the partition.
      if (this.#isClosed) throw new Error(`partition ${this.topic}/${this.partition} belongs to another member now`)
      records.push(record)
      bytes += stored.value.length
      block.at++
      this.#shiftIfRead(block)
    }
    this.#start = this.#blocks.length === 0 ? this.#next : (records.at(-1)?.position ?? this.#start - 1) + 1
    if (this.#bytes < this.#deps.bytesMax) this.#deps.onWanting(this)
    const atEnd = this.#blocks.length === 0 && this.#endSequence > since
    return { records, nextPosition: this.#start, atEnd }
  }

  #unframe(stored: StoredRecord): LogRecord | Promise<LogRecord> {
    this.#lastAppendedAtMs = Math.max(this.#lastAppendedAtMs, stored.timestampMs)
    const place = { position: stored.offset, appendedAtMs: this.#lastAppendedAtMs }
    const { value, headers, damage } = stored
    const unreadable = (reason: string, detail: string): LogRecord => {
      return { ...place, payload: value, unreadable: { reason, detail }, headers }
    }
    if (damage !== undefined)
      return unreadable(damagedBatchReason, `a record batch of ${value.length} bytes: ${damage}`)
    const failed = (error: unknown): LogRecord => {
      if (!(error instanceof UnreadableRecordError)) throw error
      return unreadable(error.reason, error.message)
    }
    try {
      const payload = this.#deps.framing.unframe({ value, headers })
      if (!(payload instanceof Promise)) return { ...place, payload }
      return payload.then((bytes) => ({ ...place, payload: bytes }), failed)
    } catch (error) {
      return failed(error)
    }
  }

  #cross(gap: LogGap): LogBatch {
    // The next read begins anew, also if it asks for the same position again.
    this.#start = -1
    return { records: [], nextPosition: gap.toPosition, atEnd: false, gap }
  }

  #hold(records: readonly StoredRecord[]): void {
    if (records.length === 0) return
    const bytes = records.reduce((sum, { value }) => sum + value.length + recordOverheadBytes, 0)
    this.#blocks.push({ records, bytes, at: 0 })
    this.#bytes += bytes
    this.#deps.budget.heldBytes += bytes
  }

  /** Memory goes block by block: its records share it. */
  #shiftIfRead(block: Block): boolean {
    if (block.at < block.records.length) return false
    this.#blocks.shift()
    this.#bytes -= block.bytes
    this.#deps.budget.heldBytes -= block.bytes
    return true
  }

  #drop(): void {
    this.#deps.budget.heldBytes -= this.#bytes
    this.#bytes = 0
    this.#blocks.length = 0
  }

  async #change(untilMs: number, signal: AbortSignal | undefined): Promise<void> {
    const wait = this.#deps.waits.begin(untilMs, signal)
    this.#notify = wait.end
    await wait.ended
    this.#notify = nobody
  }
}

function nobody(): void {}
