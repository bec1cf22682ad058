/** No ring is a ring that never covers anything. */
import { AbsentRecentRing } from './absent-recent-ring.ts'
import { recentRingContract } from './recent-ring-contract.ts'

recentRingContract('absent', {
  holds: false,
  hourMinute: 30_000_000 - (30_000_000 % 60),
  create: async () => {
    const identity = { epoch: '1', runId: undefined }
    return { ring: new AbsentRecentRing(), other: new AbsentRecentRing(), identity }
  },
})
