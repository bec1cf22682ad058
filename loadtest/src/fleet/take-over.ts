/** How long the rest of a consumer group takes to own what a lost member left: read from the /metrics of all that live. */
import { setTimeout as delay } from 'node:timers/promises'
import { scrape } from './prometheus-text.ts'
import type { ServiceProcess } from './service-process.ts'

const pollMs = 200

/** `topic/partition` of all that these processes read. */
export async function partitionsOf(aggregators: readonly ServiceProcess[]): Promise<Set<string>> {
  const rows = await Promise.all(aggregators.map(({ url }) => scrape(url)))
  return new Set(
    rows
      .flat()
      .filter(({ name }) => name === 'minutely_aggregator_complete_through_seconds')
      .map(({ labels }) => `${labels['topic']}/${labels['partition']}`),
  )
}

/**
 * Resolves with the ms until every one of `partitions` is read by one of them.
 * @throws past the deadline, naming some that nobody reads.
 */
export async function awaitTakeOver(
  aggregators: readonly ServiceProcess[],
  { partitions, deadlineMs }: { partitions: ReadonlySet<string>; deadlineMs: number },
): Promise<number> {
  const startedMs = performance.now()
  for (;;) {
    const owned = await partitionsOf(aggregators)
    const tookMs = performance.now() - startedMs
    const missing = [...partitions].filter((partition) => !owned.has(partition))
    if (missing.length === 0) return tookMs
    if (tookMs > deadlineMs) {
      const names = aggregators.map(({ name }) => name).join(', ')
      const some = missing.slice(0, 3).join(', ')
      throw new Error(
        `after ${deadlineMs} ms ${missing.length} of ${partitions.size} partitions are read by none of ${names}: ${some}`,
      )
    }
    await delay(pollMs)
  }
}
