import assert from 'node:assert/strict'
import { modelKey, rowInWords } from '@minutely/aggregator/minute-model'
import { minuteStoreContract } from '@minutely/aggregator/minute-store-contract'
import { seriesIdentity } from '@minutely/schema/series-identity'
import { drawFaultPlan, type FaultPlan } from './fault-plan.ts'
import { SimDatabase } from './sim-database.ts'
import { SimMinuteStore } from './sim-minute-store.ts'
import { SimProcess } from './sim-process.ts'
import { sealSpan } from './sim-sealer.ts'
import { SimSession } from './sim-session.ts'
import { seriesKeyOf } from './sim-tables.ts'
import { allMinutes, hotSpans } from './sim-tiers.ts'
import { SimWorld } from './sim-world.ts'

/** With a bad record, as runs are counted only then. */
const calm: FaultPlan = {
  ...drawFaultPlan(1),
  ...{ faultyMs: 0, poisonRecords: 1, sealing: true, sealSpanMinutes: 60, sealDelayMs: 0, retentionMs: 48 * 3_600_000 },
}
const cpu = { metricId: 'cpu', labels: {} }
const cpuKey = seriesKeyOf(seriesIdentity({ tenantId: 'default', serverId: 'web' }, cpu))

minuteStoreContract('simulated', {
  create: async () => {
    const world = new SimWorld(1, calm)
    const database = new SimDatabase(world)
    let commits = 0
    const apply = database.apply.bind(database)
    database.apply = (transaction) => {
      if (transaction.writes.size > 0) commits++
      apply(transaction)
    }
    // Time passes while the suite waits for an answer.
    const tick = setInterval(() => void world.clock.advance(50), 1)
    tick.unref()
    return {
      open: () => new SimMinuteStore({ database, process: new SimProcess('owner', world) }),
      table: async () => {
        const minutes = allMinutes(database)
        assert.ok(minutes.length === 0 || database.get(cpuKey) !== undefined)
        return Object.fromEntries(
          minutes
            .map(({ atMs, minute }) => [modelKey('web', cpu, atMs), rowInWords(minute)] as const)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      },
      seal: async () => {
        const process = new SimProcess('sealer', world)
        const session = new SimSession(database, process)
        for (const span of hotSpans(database))
          await sealSpan(session, span, { database, process, random: world.sealRandom })
        assert.deepEqual(hotSpans(database), [])
      },
      snapshot: async () => {
        const kept = commits
        return async () => database.rewind(commits - kept)
      },
    }
  },
})
