/** No ring: the one process reads its Postgres. Covers nothing, takes nothing, asks nothing. */
import type { PushOutcome, RecentRing } from './recent-ring.ts'

export class AbsentRecentRing implements RecentRing {
  readonly hours = 0
  readonly runId = undefined

  async push(): Promise<PushOutcome> {
    return 'dropped'
  }

  async read(): Promise<undefined> {}

  async fill(): Promise<void> {}

  async marked(): Promise<undefined> {}

  async mark(): Promise<boolean> {
    return false
  }
}
