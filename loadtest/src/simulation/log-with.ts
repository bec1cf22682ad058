/** A log like another one but for some of what its consumers do, or it does itself. */
import type { LogConsumer, SampleLog } from '@minutely/lib/sample-log/sample-log'

export function logWith(
  inner: SampleLog,
  change: (consumer: LogConsumer) => Partial<LogConsumer>,
  own: Partial<SampleLog> = {},
): SampleLog {
  return {
    name: inner.name,
    takesBundles: inner.takesBundles,
    deadLetters: inner.deadLetters,
    start: () => inner.start(),
    stop: () => inner.stop(),
    route: (series) => inner.route(series),
    append: (records) => inner.append(records),
    partitions: () => inner.partitions(),
    join: async (group, handler) => {
      const consumer = await inner.join(group, handler)
      const { commitWithin } = consumer
      return {
        committed: (partition) => consumer.committed(partition),
        oldest: (partition) => consumer.oldest(partition),
        read: (request) => consumer.read(request),
        commit: (partition, position, mark) => consumer.commit(partition, position, mark),
        ...(commitWithin && { commitWithin }),
        leave: () => consumer.leave(),
        ...change(consumer),
      }
    },
    ...own,
  }
}
