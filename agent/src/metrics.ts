/**
 * What the agent says about itself. Every sample read ends in exactly one of shipped or dropped (with its reason), or is
 * still in the queue or in the batch being gathered.
 */
import { rejectReasons } from '@minutely/schema/sample-wire'
import { Counter, Gauge, type Registry } from 'prom-client'

/**
 * Why a sample was dropped: by our own bounds, by a status that says the body is bad, or by the collector's verdict on
 * the sample. A fixed list: a server must not be able to invent label values here.
 */
export const dropReasons = [
  'queue-bytes',
  'queue-age',
  'batch-series',
  'stopped',
  'status-400',
  'status-413',
  'status-415',
  'status-422',
  ...rejectReasons,
  'other',
] as const
export type DropReason = (typeof dropReasons)[number]

/** The reason itself when it is a known one: a newer collector may know more than we do. */
export function dropReason(word: string): DropReason {
  return dropReasons.find((reason) => reason === word) ?? 'other'
}

export type AgentMetrics = ReturnType<typeof createAgentMetrics>

export function createAgentMetrics(registry: Registry, deps: { queue: () => { bytes: number; batches: number } }) {
  const registers = [registry]
  const counter = (name: string, help: string) => new Counter({ name: `minutely_agent_${name}`, help, registers })
  const gauge = (name: string, help: string) => new Gauge({ name: `minutely_agent_${name}`, help, registers })
  new Gauge({
    name: 'minutely_agent_queue_bytes',
    help: 'Bytes of samples that wait for the collector',
    registers,
    collect() {
      this.set(deps.queue().bytes)
    },
  })
  new Gauge({
    name: 'minutely_agent_queue_batches',
    help: 'Batches that wait for the collector',
    registers,
    collect() {
      this.set(deps.queue().batches)
    },
  })
  return {
    samplesRead: counter('samples_read_total', 'Samples read from the host'),
    samplesShipped: counter('samples_shipped_total', 'Samples the collector acknowledged as durable'),
    samplesDropped: new Counter({
      name: 'minutely_agent_samples_dropped_total',
      help: 'Samples given up, by reason',
      labelNames: ['reason'] as const,
      registers,
    }),
    secondsSkipped: counter(
      'seconds_skipped_total',
      'Seconds without a reading: the process or the machine stood still',
    ),
    readFailures: counter('read_failures_total', 'Readings of the host that failed as a whole'),
    retries: new Counter({
      name: 'minutely_agent_ship_retries_total',
      help: 'Requests to the collector that failed and are tried again, by reason',
      labelNames: ['reason'] as const,
      registers,
    }),
    lastSuccess: gauge('last_success_timestamp_seconds', 'When the collector last acknowledged a batch, Unix time'),
  }
}
