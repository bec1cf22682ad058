/** How a new topic is made. What is not said here is the brokers' default. */
import type { TopicSpec } from './kafka-cluster.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'

/** Room in max.message.bytes for the head of a batch and what records add to their payloads. */
const overheadBytes = 65_536

export function topicSpec(
  topic: string,
  config: Pick<
    KafkaLogConfig,
    'partitionCount' | 'replicationFactor' | 'inSyncReplicasMin' | 'retentionMs' | 'batchBytesMax'
  >,
): TopicSpec {
  return {
    topic,
    numPartitions: config.partitionCount,
    replicationFactor: config.replicationFactor,
    configEntries: [
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'retention.ms', value: String(config.retentionMs) },
      // The broker's clock at append is what closes minutes; a producer's must not.
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
      // As we wrote them: a codec of the broker's may be one we cannot read.
      { name: 'compression.type', value: 'producer' },
      { name: 'min.insync.replicas', value: String(config.inSyncReplicasMin) },
      { name: 'max.message.bytes', value: String(config.batchBytesMax + overheadBytes) },
    ],
  }
}
