/**
 * What the agent says about itself. Every sample read, or recovered from the spool, ends in exactly one of shipped or dropped
 * (with its reason), or is still in the queue, in the spool or in the batch being gathered.
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
  'spool-bytes',
  'spool-age',
  'spool-lost',
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

export interface SpoolMetrics {
  readonly bytesCut: Counter
  readonly failures: Counter
  readonly samplesRecovered: Counter
}

export interface SpoolState {
  readonly bytes: number
  readonly batches: number
  readonly isWritable: boolean
}

/** Only of an agent that has a spool. */
export function createSpoolMetrics(registry: Registry, deps: { spool: () => SpoolState }): SpoolMetrics {
  const registers = [registry]
  const counter = (name: string, help: string) => new Counter({ name: `minutely_agent_spool_${name}`, help, registers })
  const gauge = (name: string, help: string, read: (state: SpoolState) => number) =>
    new Gauge({
      name: `minutely_agent_spool_${name}`,
      help,
      registers,
      collect() {
        this.set(read(deps.spool()))
      },
    })
  gauge('bytes', 'Bytes of all files of the spool', ({ bytes }) => bytes)
  gauge('batches', 'Batches on disk that wait for the collector', ({ batches }) => batches)
  gauge('writable', '1, or 0 while the disk does not take what is read', ({ isWritable }) => (isWritable ? 1 : 0))
  return {
    bytesCut: counter('cut_bytes_total', 'Bytes found at start that are no whole record: a torn end, or damage'),
    failures: counter('failures_total', 'Operations on the spool that the disk refused'),
    samplesRecovered: counter('samples_recovered_total', 'Samples of an earlier run found on disk'),
  }
}

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
    help: 'Memory of samples that wait for the collector, in bytes',
    registers,
    collect() {
      this.set(deps.queue().bytes)
    },
  })
  new Gauge({
    name: 'minutely_agent_queue_batches',
    help: 'Batches that wait for the collector, in memory or in the spool',
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
