/**
 * The port of the sample log: what stands between collectors and aggregators. Two implementations: a Postgres table
 * (embedded) and Kafka (distributed); both pass sample-log-contract.ts.
 *
 * Promises: append resolves once the records survive the crash of everything; records of a partition keep the order
 * of their positions, which only grow (they may skip); a consumer group reads every record after its committed position at least
 * once; what every known group has read is kept for a bounded time. What one has not read is kept too in the Postgres log; Kafka
 * drops it past its retention. Nothing is ever skipped in silence: a read of what is not there answers with a gap, and so does one whose
 * anchor is not there though it should. A log looks for it whenever it cannot have followed the partition without a break: for a new
 * reader, after a failure, after a while unseen.
 *
 * A partition is (topic, number). Which topic a metric goes to and which partition a server goes to is the log's
 * business: route() tells, and is the same in every process with the same configuration.
 */
import type { SampleSection } from '@minutely/schema/sample-codec'
import type { PoolClient } from 'pg'
import type { Service } from '../lifecycle.ts'

export interface LogPartition {
  readonly topic: string
  readonly partition: number
}

export interface LogAppend extends LogPartition {
  readonly payload: Buffer
  /** What the payload says, decoded: a reader in the same process may be given it. Nobody changes them any more. */
  readonly sections?: readonly SampleSection[]
  /** Compressing it again gains nothing. */
  readonly isCompressed?: boolean
}

export interface LogRecord {
  readonly position: number
  /** The log's own clock at append, ms since the epoch, never decreasing within a partition: trusted time. */
  readonly appendedAtMs: number
  readonly payload: Buffer
  /** What the payload says, from whoever appended it in this process; absent when it has to be decoded. */
  readonly sections?: readonly SampleSection[]
  /** The log itself found the record damaged or foreign; the payload is then what was stored, as it was stored. */
  readonly unreadable?: { readonly reason: string; readonly detail: string }
  /** What a dead letter needs beside the payload to be put back as it was. */
  readonly headers?: Readonly<Record<string, Buffer>>
}

/**
 * The last record that was read, as the log has it. A log that was made anew, or lost its end, and was filled again has another
 * append time at that position, or nothing: so it proves later that positions still mean the same records. To be kept with them.
 */
export interface LogAnchor {
  readonly position: number
  readonly appendedAtMs: number
}

/**
 * Records that are gone. retention: the oldest kept is past the position that was asked for. rewound: the log ends
 * before that position, or has not the anchor, so it was deleted and made anew, or lost its end. Reading goes on at toPosition, the
 * oldest, without an anchor.
 */
export interface LogGap {
  readonly fromPosition: number
  readonly toPosition: number
  readonly reason: 'retention' | 'rewound'
}

export interface LogBatch {
  readonly records: readonly LogRecord[]
  /** Where to read on from: after the last record, or the position asked for when there was none. */
  readonly nextPosition: number
  /** True when nothing more was readable at the time of the read. */
  readonly atEnd: boolean
  /** Then there are no records, and nextPosition is where the gap ends. Never skipped in silence. */
  readonly gap?: LogGap
  /** The last record of these. Absent where a position never means another record: the Postgres log is one database with its readers. */
  readonly anchor?: LogAnchor
}

/** A record that could not be read, kept for a person to look at and to put back. */
export interface NewDeadLetter extends LogPartition {
  readonly position: number
  readonly appendedAtMs: number
  /** Immutable and kebab-case. */
  readonly reason: string
  /** For a person. */
  readonly detail: string
  readonly payload: Buffer
  readonly headers?: Readonly<Record<string, Buffer>>
  /** The payload is as the log stored it, not as append got it. */
  readonly unreadable?: LogRecord['unreadable']
}

export interface DeadLetter extends NewDeadLetter {
  /** Names it in list and replay. */
  readonly id: string
}

export interface DeadLetters {
  /** Durable when it resolves. The same record may be added twice. */
  add(letter: NewDeadLetter): Promise<void>
  /** Oldest first, those that there are when it is called. */
  list(): AsyncIterable<DeadLetter>
  /** Puts it back at the end of its partition as it was; it stays listed. Folding a record twice changes nothing. */
  replay(letter: DeadLetter): Promise<void>
}

/** The log cannot take more now: retry later. Full by its own limit, because a group lags, or with the disk it lies on. */
export class LogUnavailableError extends Error {
  override readonly name = 'LogUnavailableError'
  readonly full: 'readers-lag' | 'disk' | false
  constructor(message: string, options: { full?: LogUnavailableError['full']; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.full = options.full ?? false
  }
}

export interface SampleLog extends Service {
  readonly deadLetters: DeadLetters
  /** Payloads may be bundles (schema/src/log-payload.ts); else every payload is a SampleRecord. */
  readonly takesBundles: boolean
  /** Where the samples of one metric of one server go. */
  route(series: { tenantId: string; serverId: string; metricId: string }): LogPartition
  /**
   * Durable when it resolves, all or (on rejection) possibly some of them.
   * @throws LogUnavailableError when the records may be sent again later.
   */
  append(records: readonly LogAppend[]): Promise<void>
  /** Every partition there is now, whoever owns it. @throws when that is not certain. */
  partitions(): Promise<readonly LogPartition[]>
  /** Joins a named group; resolves when it is a member. Every group sees every record. */
  join(group: string, handler: PartitionHandler): Promise<LogConsumer>
}

/**
 * Told which partitions this member owns. Called one at a time; a revoked partition must no longer be committed. One that
 * vanished from the log is revoked too.
 */
export interface PartitionHandler {
  assigned(partition: LogPartition): void
  revoked(partition: LogPartition): void
}

export interface LogConsumer {
  /** What the group committed, or the oldest position kept when it never did. */
  committed(partition: LogPartition): Promise<LogCommit>
  /** The oldest position kept. */
  oldest(partition: LogPartition): Promise<number>
  /** At most about bytesMax of payload (at least one record if there is one), waiting up to waitMs for the first. */
  read(request: LogRead): Promise<LogBatch>
  /**
   * Reading goes on there. Below what was committed before it is taken by a log that keeps records whoever has read them (Kafka). The
   * mark is kept beside it, up to 4,096 bytes, by a log that is apart from the store (where commitWithin is undefined).
   */
  commit(partition: LogPartition, position: number, mark?: string): Promise<void>
  /** Where log and store are one database: commits as part of the caller's transaction. */
  readonly commitWithin?: (client: PoolClient, partition: LogPartition, position: number) => Promise<void>
  leave(): Promise<void>
}

export interface LogCommit {
  readonly position: number
  /** What commit() was told with it. */
  readonly mark?: string | undefined
}

export interface LogRead {
  readonly partition: LogPartition
  readonly position: number
  readonly bytesMax: number
  readonly waitMs: number
  /** The newest one known of the partition, whoever read it; the position may be before it. What was given with a batch, or was kept. */
  readonly anchor?: LogAnchor | undefined
  /** Ends the wait early. */
  readonly signal?: AbortSignal
}
