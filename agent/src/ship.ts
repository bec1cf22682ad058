/**
 * Sends batches to the collector: one request at a time, the newest data first, what waits behind it as backlog.
 *
 *   queue   [ b1 b2 b3 b4 ... b9 | b10 ]      b10: live, a request of its own, as soon as it is there
 *                                             b9 .. b1: backlog, newest first, many batches a request
 *
 * At most a quarter of the requests carry backlog (one after three live ones; the first after one): after an outage
 * 10,000 agents must not delay the live data of each other. A backlog request carries up to 30 batches, so an hour's
 * (240 batches) is caught up in about 6 min.
 *
 * A request that fails is tried again after a full-jitter exponential delay, 1 s doubling to 60 s
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/); Retry-After wins. Every attempt chooses
 * its batches anew, so live data does not wait behind an old batch; what was sent without an answer is sent again and
 * folds away (a minute is a set). Durations in ms.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import type { Clock } from '@minutely/lib/clock'
import type { Logger } from '@minutely/lib/logging'
import { encodeSampleBatch } from '@minutely/schema/sample-codec'
import pRetry from 'p-retry'
import { BacklogReport } from './backlog-report.ts'
import type { Batch } from './batch.ts'
import type { BatchQueue, LeaseBounds, QueuedBatch } from './batch-queue.ts'
import type { CollectorClient, Verdict } from './collector-client.ts'
import { RetryableError } from './collector-client.ts'
import { type AgentMetrics, dropReason } from './metrics.ts'

const backoffMsMin = 1000
const backoffMsMax = 60_000
const liveRequestsPerBacklog = 3
/** The collector takes 1 MiB compressed and 5,000 series a request; uncompressed below that is safe for any data. */
const backlogBounds: LeaseBounds = { batchesMax: 30, seriesMax: 4000, bytesMax: 1_000_000 }
const liveBounds: LeaseBounds = { ...backlogBounds, batchesMax: 1 }
/** Of the 5 s in which a stopping agent must be gone. */
const stopTimeoutMs = 3000
/** Of a real batch (76 series, 14.2 kB) level 3 makes 3.0 kB in 0.14 ms; level 9 makes 2.8 kB in 0.5 ms. */
const zstdLevel = 3

export interface ShipperDeps {
  readonly serverId: string
  readonly queue: BatchQueue
  readonly client: CollectorClient
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: AgentMetrics
  /** In [0, 1). */
  readonly random: () => number
  readonly monotonicMs: () => number
  /** How much more can wait and where, for a person. */
  readonly room: () => string
  /** Absent: what waits is in memory only. */
  readonly spoolDir?: string | undefined
  /** By default zstd. */
  readonly compress?: (body: Buffer) => Buffer
}

export interface Shipper {
  ship(batches: readonly Batch[]): void
  /** One last request for what is left, newest first; resolves when nothing is in flight any more. */
  stop(): Promise<void>
}

export function createShipper(config: { requestTimeoutMs: number }, deps: ShipperDeps): Shipper {
  const { queue, client, clock, log, metrics, compress = compressed } = deps
  const stopping = new AbortController()
  let wake = Promise.withResolvers<void>()
  let shippedThrough = 0
  // So that what an earlier run left waits for the first live request.
  let liveSinceBacklog = liveRequestsPerBacklog - 1
  const report = new BacklogReport(deps)
  /** Why, since the last success: each reason is a warning once. */
  const failureReasons = new Set<string>()
  const reported = new Set<string>()
  /** Statuses that dropped whole batches since the last success: each is a warning once. */
  const refusedWith = new Set<number>()
  const running = run()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const woken = wake.promise
      const batches = await deliver()
      if (batches === 0) await woken
    }
  }

  /** Retries until something was answered for, or there is nothing to send. Batches answered for, 0 if none. */
  async function deliver(): Promise<number> {
    try {
      return await pRetry(attempt, {
        retries: Number.POSITIVE_INFINITY,
        signal: stopping.signal,
        // p-retry's own delays are neither full jitter (its factor is 1..2) nor on our clock: it waits 0, we wait here.
        minTimeout: 0,
        onFailedAttempt: ({ error }) => backOff(error),
      })
    } catch (error) {
      if (stopping.signal.aborted) return 0
      throw error
    }
  }

  async function attempt(): Promise<number> {
    const isLive = queue.newestSequence > shippedThrough
    if (!isLive && liveSinceBacklog < liveRequestsPerBacklog) return 0
    const batches = queue.lease(isLive ? liveBounds : backlogBounds)
    if (batches.length === 0) return 0
    liveSinceBacklog = isLive ? liveSinceBacklog + 1 : 0
    await send(batches, config.requestTimeoutMs, stopping.signal)
    if (isLive) shippedThrough = Math.max(shippedThrough, ...batches.map(({ sequence }) => sequence))
    return batches.length
  }

  async function send(batches: readonly QueuedBatch[], timeoutMs: number, signal: AbortSignal): Promise<void> {
    try {
      const blocks = batches.map(({ block }) => block).sort((a, b) => a.startMs - b.startMs)
      const body = encodeSampleBatch({ serverId: serverIdOf(batches), sentAtMs: clock.nowMs(), blocks })
      const verdict = await client.post(compress(body), { timeoutMs, signal })
      queue.forget(batches)
      count(verdict, batches)
    } catch (error) {
      queue.release(batches)
      throw error
    }
  }

  /** What waited under a name that this host no longer has goes under that name. */
  function serverIdOf(batches: readonly QueuedBatch[]): string {
    return batches[0]?.serverId ?? deps.serverId
  }

  function count(verdict: Verdict, batches: readonly QueuedBatch[]): void {
    failureReasons.clear()
    const sampleCount = batches.reduce((sum, batch) => sum + batch.sampleCount, 0)
    const acceptedCount = verdict.kind === 'refused' ? 0 : (verdict.accepted ?? sampleCount)
    report.answered(batches, { acceptedCount })
    if (verdict.kind === 'refused') {
      metrics.samplesDropped.inc({ reason: `status-${verdict.status}` }, sampleCount)
      const { status, message } = verdict
      const level = refusedWith.has(status) ? 'debug' : 'warn'
      refusedWith.add(status)
      log[level]({ status, samples: sampleCount }, `the collector refused a batch for good, it is dropped: ${message}`)
      return
    }
    refusedWith.clear()
    metrics.lastSuccess.set(clock.nowMs() / 1000)
    metrics.samplesShipped.inc(acceptedCount)
    for (const { reason, count: rejected, metricId, detail } of verdict.rejected) {
      const known = dropReason(reason)
      metrics.samplesDropped.inc({ reason: known }, rejected)
      if (reported.has(known)) continue
      reported.add(known)
      const rest = 'further ones of this reason are only counted'
      log.warn({ reason, metricId, samples: rejected }, `the collector rejected samples: ${detail}; ${rest}`)
    }
  }

  async function backOff(error: Error): Promise<void> {
    // Anything else is a defect of ours; p-retry must not hide it.
    if (!(error instanceof RetryableError)) throw error
    metrics.retries.inc({ reason: error.reason })
    report.failed()
    const { failedAttempts } = report
    const delayMs = error.retryAfterMs ?? fullJitterMs(failedAttempts, deps.random)
    const level = failureReasons.has(error.reason) ? 'debug' : 'warn'
    failureReasons.add(error.reason)
    log[level]({ delayMs: Math.round(delayMs), failedAttempts }, `${error.message}; trying again, samples are kept`)
    await clock.sleep(delayMs, stopping.signal)
  }

  return {
    ship(batches) {
      for (const batch of batches) queue.keep(batch)
      if (batches.length === 0) return
      wake.resolve()
      wake = Promise.withResolvers<void>()
    },
    async stop() {
      stopping.abort()
      wake.resolve()
      // Rejected only by a defect, which has reached the lifecycle as an unhandled rejection.
      await Promise.allSettled([running])
      const batches = queue.lease(backlogBounds)
      if (batches.length > 0) {
        await send(batches, stopTimeoutMs, new AbortController().signal).catch((error: Error) =>
          log.info(`the last request before the stop failed: ${error.message}`),
        )
      }
      sayWhatRemains(deps)
      queue.dropAll('stopped')
      client.close()
    },
  }
}

/** The last that a stopping agent says of its samples: whether they are kept or lost. */
function sayWhatRemains({ queue, log, spoolDir }: Pick<ShipperDeps, 'queue' | 'log' | 'spoolDir'>): void {
  const { samples, samplesOnDisk } = queue.waiting
  const lost = samples - samplesOnDisk
  if (samplesOnDisk > 0) {
    log.info(
      { samples: samplesOnDisk },
      `${samplesOnDisk} samples are kept in ${spoolDir}, they are sent at the next start`,
    )
  }
  if (lost === 0) return
  const why = spoolDir === undefined ? 'this agent has no spool' : `${spoolDir} did not take them`
  log.warn({ samples: lost }, `${lost} samples are lost: they were in memory only, ${why}`)
}

function compressed(body: Buffer): Buffer {
  return zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } })
}

/** A whole number anywhere from 0 to below the exponential bound: 1 s, 2 s, 4 s ... 60 s. */
export function fullJitterMs(failedAttempts: number, random: () => number): number {
  return Math.floor(random() * Math.min(backoffMsMax, backoffMsMin * 2 ** (failedAttempts - 1)))
}
