/**
 * Metrics of the sample log on Kafka. What is a state rather than an event is asked for when somebody looks. Lag is per
 * partition, of those this process reads; summed over processes it is the lag of the group.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export interface PartitionLag {
  readonly topic: string
  readonly partition: number
  readonly group: string
  readonly records: number
  /** Age of the oldest record that is fetched and not yet read, seconds; 0 when there is none. */
  readonly seconds: number
}

export interface KafkaLogState {
  readonly sendBytes: () => number
  readonly fetchBytes: () => number
  readonly ownTopics: () => number
  /** Of each group: whether this process is a member now. */
  readonly memberships: () => readonly { group: string; isMember: boolean; partitions: number }[]
  readonly lags: () => readonly PartitionLag[]
}

export interface KafkaLogMetrics {
  readonly sendSeconds: Histogram<'result'>
  readonly redirects: Counter
  readonly rebalances: Counter<'group'>
  readonly membershipLosses: Counter<'group'>
  readonly fetches: Counter<'kind'>
  readonly fetchErrors: Counter<'reason'>
}

export function createKafkaLogMetrics(registry: Registry, state: KafkaLogState): KafkaLogMetrics {
  const registers = [registry]
  const gauge = <L extends string>(name: string, help: string, labelNames: L[], collect: (gauge: Gauge<L>) => void) =>
    new Gauge({
      name: `minutely_kafka_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        collect(this)
      },
    })
  gauge('send_bytes', 'Records on their way to the brokers, bytes', [], (own) => own.set(state.sendBytes()))
  gauge('fetch_bytes', 'Fetched records that wait for their reader, bytes', [], (own) => own.set(state.fetchBytes()))
  gauge('own_topics', 'Metrics with a topic of their own', [], (own) => own.set(state.ownTopics()))
  gauge('member', '1 while this process is a member of the group', ['group'], (own) => {
    for (const { group, isMember } of state.memberships()) own.set({ group }, isMember ? 1 : 0)
  })
  gauge('partitions', 'Partitions this process owns in the group', ['group'], (own) => {
    for (const { group, partitions } of state.memberships()) own.set({ group }, partitions)
  })
  gauge('lag_records', 'Records of an owned partition not yet read', ['topic', 'partition', 'group'], (own) => {
    for (const { topic, partition, group, records } of state.lags()) own.set({ topic, partition, group }, records)
  })
  gauge('lag_seconds', 'Age of the oldest record that waits for its reader', ['topic', 'partition', 'group'], (own) => {
    for (const { topic, partition, group, seconds } of state.lags()) own.set({ topic, partition, group }, seconds)
  })
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `minutely_kafka_${name}_total`, help, labelNames, registers })
  return {
    sendSeconds: new Histogram({
      name: 'minutely_kafka_send_seconds',
      help: 'Duration of an append with its retries',
      labelNames: ['result'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    redirects: counter('redirects', 'Metrics that share a topic because there was no room for one more', []),
    rebalances: counter('rebalances', 'Times the members of the group shared out the partitions anew', ['group']),
    membershipLosses: counter('membership_losses', 'Times this process lost all its partitions', ['group']),
    fetches: counter('fetches', 'Fetches: full ones name every partition, incremental ones what has changed', ['kind']),
    fetchErrors: counter(
      'fetch_errors',
      'Fetches, or parts of them, that failed or did not prove that the log is the same',
      ['reason'],
    ),
  }
}
