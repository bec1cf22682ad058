/**
 * For tests: a consumer's side of a log that lets one read through at a time, and says when the consumer has digested
 * it. So a test knows where the consumer is, without waiting for time to pass.
 */
import type { LogBatch, LogCommit, LogConsumer, LogPartition, LogRead } from '@minutely/lib/sample-log/sample-log'

export class SteppedLog implements LogConsumer {
  readonly commitWithin?: NonNullable<LogConsumer['commitWithin']>
  /** Of the last read. */
  lastCount = 0
  /** Positions, in their order. */
  readonly commits: number[] = []
  readonly #inner: LogConsumer
  readonly #marks: Map<number, string | undefined>
  #asked = Promise.withResolvers<void>()
  #go = Promise.withResolvers<void>()

  /** `apart`: log and store are not one database; positions are committed after the minutes, with a mark. */
  constructor(inner: LogConsumer, { apart, marks }: { apart: boolean; marks: Map<number, string | undefined> }) {
    this.#inner = inner
    this.#marks = marks
    if (!apart && inner.commitWithin !== undefined) this.commitWithin = inner.commitWithin
  }

  async committed(partition: LogPartition): Promise<LogCommit> {
    return { ...(await this.#inner.committed(partition)), mark: this.#marks.get(partition.partition) }
  }

  oldest(partition: LogPartition): Promise<number> {
    return this.#inner.oldest(partition)
  }

  commit(partition: LogPartition, position: number, mark?: string): Promise<void> {
    this.commits.push(position)
    this.#marks.set(partition.partition, mark)
    return this.#inner.commit(partition, position)
  }

  leave(): Promise<void> {
    return this.#inner.leave()
  }

  async read(request: LogRead): Promise<LogBatch> {
    this.#asked.resolve()
    const aborted = new Promise<void>((resolve) => request.signal?.addEventListener('abort', () => resolve()))
    await Promise.race([this.#go.promise, aborted])
    const batch = await this.#read({ ...request, waitMs: 0 })
    this.lastCount = batch.records.length
    return batch
  }

  /** A log apart can be made anew behind the store's back, so it has anchors, and looks for them at each read. */
  async #read(request: LogRead): Promise<LogBatch> {
    if (this.commitWithin !== undefined) return this.#inner.read(request)
    const { partition, position: fromPosition, anchor } = request
    const toPosition = await this.oldest(partition)
    if (anchor !== undefined && anchor.position >= toPosition) {
      const { records } = await this.#inner.read({ ...request, position: anchor.position, bytesMax: 1 })
      const [found] = records
      if (found?.position !== anchor.position || found.appendedAtMs !== anchor.appendedAtMs) {
        const gap = { fromPosition, toPosition, reason: 'rewound' } as const
        return { records: [], nextPosition: toPosition, atEnd: false, gap }
      }
    }
    const batch = await this.#inner.read(request)
    const last = batch.records.at(-1)
    if (last === undefined) return batch
    return { ...batch, anchor: { position: last.position, appendedAtMs: last.appendedAtMs } }
  }

  /** Lets one read pass; resolves when the consumer asks for the next one, or has ended. */
  async step(ended: Promise<unknown>): Promise<void> {
    await Promise.race([this.#asked.promise, ended])
    this.#asked = Promise.withResolvers()
    const go = this.#go
    this.#go = Promise.withResolvers()
    go.resolve()
    await Promise.race([this.#asked.promise, ended])
  }
}
