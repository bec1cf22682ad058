/** An aggregator as a process: the real service over the simulated log, store and ring, with a variant's wrappers if there are any. */
import type { AggregatorConfig } from '@minutely/aggregator/config'
import { createAggregator } from '@minutely/aggregator/service'
import type { LiveWriter } from '@minutely/lib/live/live-channel'
import type { Logger } from '@minutely/lib/logging'
import type { SampleLog } from '@minutely/lib/sample-log/sample-log'
import { Registry } from 'prom-client'
import type { SimDatabase } from './sim-database.ts'
import { SimFoldTrial } from './sim-fold-trial.ts'
import { SimMinuteStore } from './sim-minute-store.ts'
import type { SimProcess } from './sim-process.ts'
import { type SimRedis, SimRing } from './sim-redis.ts'
import { runSealer } from './sim-sealer.ts'
import type { SimWorld } from './sim-world.ts'
import type { Variant } from './variants.ts'

export const simLatenessMs = 10_000

export interface SimAggregatorDeps {
  readonly world: SimWorld
  readonly process: SimProcess
  readonly sampleLog: SampleLog
  readonly database: SimDatabase
  readonly redis: SimRedis
  readonly log: Logger
  readonly variant: Variant
}

/** Nobody watches. */
const nobody: LiveWriter = {
  connect: () => {},
  watchedCount: 0,
  isWatched: () => false,
  publish: () => {},
  publishProvisional: () => {},
}

export function startAggregator(deps: SimAggregatorDeps): void {
  const { world, process, sampleLog, database, redis, log, variant } = deps
  const ring = new SimRing(redis, process)
  const { merge, trustsIds, beforeCommit } = variant
  const minuteStore = new SimMinuteStore({
    database,
    process,
    merge,
    trustsIds,
    beforeCommit: beforeCommit && ((push) => beforeCommit(push, ring)),
  })
  const parts = { sampleLog, minuteStore, trial: new SimFoldTrial(world, process) }
  const wrapped = { ...parts, ...variant.wrap?.(parts) }
  const { clock } = process
  const base = { clock, log, registry: new Registry(), random: world.random.next }
  const aggregator = createAggregator(configFor(world), { ...base, ...wrapped, live: nobody, ring })
  void aggregator.start()
  if (world.faults.sealing) {
    const { ignoresDirty } = variant
    void runSealer({ database, process, random: world.sealRandom.fork(), ignoresDirty })
  }
}

function configFor({ faults }: SimWorld): AggregatorConfig {
  return {
    latenessMs: simLatenessMs,
    lateHoldMs: 2_000,
    openMinutesMax: faults.tight ? 2 : 8,
    lateMinutesMax: faults.tight ? 3 : 100,
    windowBytesMax: faults.tight ? 200_000 : 1 << 26,
    readyLagMs: 30_000,
    readBytesMax: 1 << 22,
    retentionHours: faults.retentionMs / 3_600_000,
    hourRetentionDays: 400,
    retentionByMetric: [],
    // Its place is taken by sim-sealer.ts.
    sealAfterMinutes: 0,
    resealAfterMinutes: 15,
    sealEveryMs: 60_000,
    sealRowsPerS: 100_000,
    sealSliceRowsMax: 15_000,
  }
}
