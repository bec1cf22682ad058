/** For tests of the Kafka log: a consumer that owns all partitions of one metric's topic. */
import type { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import type { LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'

export async function joinAll(
  log: KafkaSampleLog,
): Promise<{ partitions: readonly LogPartition[]; consumer: LogConsumer }> {
  await log.prepare(['a'])
  const partitions = await log.partitions()
  const all = Promise.withResolvers<void>()
  let owned = 0
  const consumer = await log.join('readers', {
    assigned: () => {
      owned++
      if (owned === partitions.length) all.resolve()
    },
    revoked: () => {
      owned--
    },
  })
  await all.promise
  return { partitions, consumer }
}
