/**
 * One question at start, GET /healthz: a wrong address is said at once and by the name of its setting, not after the first
 * batch. Never fatal: an agent may well start before its collector. Durations in ms.
 */
import type { Logger } from '@minutely/lib/logging'
import type { CollectorClient } from './collector-client.ts'
import { RetryableError } from './collector-client.ts'

const probeTimeoutMs = 3000

export interface CollectorProbeDeps {
  readonly collectorUrl: string
  readonly log: Logger
  /** Ends the question; nothing is logged then. */
  readonly signal: AbortSignal
}

export async function probeCollector(
  client: Pick<CollectorClient, 'checkHealth'>,
  { collectorUrl, log, signal }: CollectorProbeDeps,
): Promise<void> {
  try {
    await client.checkHealth({ timeoutMs: probeTimeoutMs, signal })
    log.info({ collectorUrl }, 'the collector answers')
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error
    if (signal.aborted) return
    const advice =
      'see whether the collector is up, and MINUTELY_COLLECTOR_URL is its address; samples are kept until then'
    log.warn({ collectorUrl }, `no collector found: ${error.message}; ${advice}`)
  }
}
