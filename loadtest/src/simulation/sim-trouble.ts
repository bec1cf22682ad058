/** When which fault happens: events of the fault plan at instants drawn from the seed. What is killed comes back. */
import type { LogPartition } from '@minutely/lib/sample-log/sample-log'
import type { SimRun } from './run-seed.ts'
import type { SimDatabase } from './sim-database.ts'
import { nameOf } from './sim-log-storage.ts'
import { type ProgressRow, progressKey } from './sim-tables.ts'
import { simStartMs } from './sim-world.ts'

const calmMs = 10_000

export function makeTrouble(run: SimRun): void {
  const { world } = run
  const { faults, random, clock } = world
  const at = (count: number, happen: () => void): void => {
    for (let index = 0; index < count; index++) {
      clock.schedule(random.between(calmMs, faults.faultyMs - 1), happen)
    }
  }
  at(faults.agentCrashes, () => crashAgent(run))
  at(faults.collectorCrashes, () => crashCollector(run))
  at(faults.aggregatorCrashes, () => crashAggregator(run))
  at(faults.aggregatorPauses, () => pauseAggregator(run))
  at(faults.rebalances, () => run.group.rebalance())
  at(faults.storeOutages, () => breakStore(run))
  at(faults.storeRewinds, () => rewindStore(run))
  at(faults.ringFlushes, () => run.redis.flush())
  at(faults.ringRestarts, () => run.redis.restart())
  at(faults.retentionOverruns, () => run.storage.truncate(random.pick([...run.storage.partitions.values()])))
  at(faults.topicsMadeAnew, () => makeTopicAnew(run))
  if (faults.partitionCountLater > faults.partitionCount) {
    clock.schedule(Math.floor(faults.faultyMs / 2), () => addPartitions(run))
  }
  at(faults.deadlyRecords, () => run.badRecords.appendDeadly())
  at(faults.poisonRecords, () => run.badRecords.appendPoison())
}

function crashAgent(run: SimRun): void {
  const { world, agents } = run
  const index = world.random.below(agents.length)
  kill(run, agents[index])
  const isOver = world.nowMs >= simStartMs + world.faults.sendingMs
  if (!isOver) world.clock.schedule(world.random.between(500, 20_000), () => run.startAgent(index))
}

function crashCollector(run: SimRun): void {
  const index = run.world.random.below(run.collectors.length)
  kill(run, run.collectors[index]?.process)
  run.world.clock.schedule(run.world.random.between(500, 10_000), () => run.startCollector(index))
}

function crashAggregator(run: SimRun): void {
  const { world, aggregators } = run
  const index = world.random.below(aggregators.length)
  const victim = aggregators[index]
  if (victim === undefined || victim.isDead) return
  kill(run, victim)
  restartAggregator(run, index)
}

function restartAggregator(run: SimRun, index: number): void {
  const { world, group, aggregators } = run
  world.clock.schedule(world.random.between(100, 30_000), () => {
    const before = aggregators[index]
    // Who is the whole group waits for nobody.
    if (world.faults.embedded && before !== undefined) group.leave(before)
    run.startAggregator(index)
  })
}

/** By a record, in the middle of folding it. */
export function dieOf(record: LogPartition & { readonly position: number }, index: number, run: SimRun): void {
  const victim = run.aggregators[index]
  if (victim === undefined || victim.isDead) return
  run.world.note(victim.name, `dies of ${nameOf(record)} ${record.position}`)
  run.badRecords.died(victim, record)
  kill(run, victim)
  restartAggregator(run, index)
}

function pauseAggregator(run: SimRun): void {
  const { world, aggregators } = run
  const victim = world.random.pick(aggregators)
  if (victim.isDead || victim.isPaused) return
  const durationMs = world.random.between(1_000, 90_000)
  world.note(victim.name, `stands still for ${durationMs} ms`)
  victim.pause()
  world.clock.schedule(durationMs, () => {
    world.note(victim.name, 'goes on')
    victim.resume()
  })
}

function breakStore({ world, database }: SimRun): void {
  const durationMs = world.random.between(500, 60_000)
  world.note('database', `is away for ${durationMs} ms`)
  database.availableAtMs = world.nowMs + durationMs
  database.breakConnections()
}

function rewindStore({ world, storage, database }: SimRun): void {
  database.rewind(world.random.between(1, world.faults.commitsLost))
  const isHidden = [...storage.partitions.values()].some(
    (log) => Number(log.committed?.mark ?? 0) > (database.get<ProgressRow>(progressKey(log))?.versionUs ?? 0),
  )
  if (isHidden) database.lossToldToLogAtMs = world.nowMs
  for (const record of storage.destroyed) {
    if (record.reason === 'rewound' && !isKnown(database, record)) record.isMissed = false
  }
}

function makeTopicAnew({ world, storage, database }: SimRun): void {
  const log = world.random.pick([...storage.partitions.values()])
  storage.makeAnew(log, isKnown(database, log))
}

function isKnown(database: SimDatabase, partition: LogPartition): boolean {
  return database.get<ProgressRow>(progressKey(partition))?.anchor !== undefined
}

/** First the partitions, which are read at once; then the collectors that write to them, one by one. */
function addPartitions(run: SimRun): void {
  const { world, collectors, group } = run
  run.partitionCount = world.faults.partitionCountLater
  run.createPartitions(run.partitionCount)
  world.note('log', `topics have ${run.partitionCount} partitions`)
  group.rebalance()
  for (const index of collectors.keys()) {
    world.clock.schedule(world.random.between(10_000, 60_000), () => {
      kill(run, run.collectors[index]?.process)
      run.startCollector(index)
    })
  }
}

function kill({ world }: SimRun, process: { name: string; isDead: boolean; kill(): void } | undefined): void {
  if (process === undefined || process.isDead) return
  world.note(process.name, 'is killed')
  process.kill()
}
