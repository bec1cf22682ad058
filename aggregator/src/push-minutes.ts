/**
 * Tells the ring what a flush has stored: after Postgres, before viewers and the log's commit. A ring that cannot take it
 * costs at most the write budget. Rows that are new are then read from Postgres; merged ones, of which the ring may have an older
 * state, make the ring void, in Postgres: that must succeed before the log forgets (lib/src/recent-ring/recent-ring.ts).
 */
import type { Logger } from '@minutely/lib/logging'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import type { MinuteStore } from './minute-store.ts'
import type { RingPush } from './ring-push.ts'

export interface PushDeps {
  readonly ring: RecentRing
  readonly minuteStore: Pick<MinuteStore, 'voidRing'>
  readonly log: Logger
}

/** Safe to repeat. @throws when Postgres cannot be told that the ring is void; the log must not be committed then. */
export async function pushMinutes({ identity, copied, merged }: RingPush, deps: PushDeps): Promise<true> {
  const { ring, minuteStore, log } = deps
  if (merged.count > 0) {
    const outcome = await ring.push(identity, merged, 'urgent')
    if (outcome !== 'pushed') {
      await minuteStore.voidRing(`${merged.count} merged minutes: ${outcome}`, identity)
      log.warn(
        { outcome, rows: merged.count, epoch: identity.epoch },
        'merged minutes did not reach the ring; it is void',
      )
      return true
    }
  }
  if (copied.count > 0) await ring.push(identity, copied)
  return true
}
