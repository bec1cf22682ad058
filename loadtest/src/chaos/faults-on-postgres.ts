/** What PostgreSQL and the way to it can do: be away, die, lose the answer to a COMMIT, or lose its last commits. */
import type { Pool } from '@minutely/lib/postgres/pool'
import type { Cut } from '../fleet/tcp-gate.ts'
import type { DistributedWorld } from './distributed-world.ts'
import type { FaultContext, FaultKind } from './fault-kind.ts'
import { killServer } from './faults-on-servers.ts'
import { openAdmin } from './store-evidence.ts'

type Context = FaultContext<DistributedWorld>

const cutsMax = 6
const cutDeadlineMs = 30_000
/** A minute closes within it. */
const commitDeadlineMs = 80_000
/** How much is to be lost, as after a failover to a standby that lagged. */
const lossMs = 2_000
const pollMs = 100

async function unreachable({ world, random, tally, say, ...context }: Context): Promise<boolean> {
  const { sleep, outageMsMax, serverOutageMs, onServerBack } = context
  const drawnMs = random.between(outageMsMax / 4, outageMsMax)
  const outageMs = serverOutageMs ?? drawnMs
  world.postgresGate.shut()
  tally.add('outages')
  say(`PostgreSQL is unreachable for ${(outageMs / 1_000).toFixed(1)} s`)
  await sleep(outageMs)
  world.postgresGate.reopen()
  onServerBack()
  return true
}

/** The protocol's message of a statement `commit` ends in a zero byte. */
function cutAtCommit(when: Cut['when']): (context: Context) => Promise<boolean> {
  return async ({ world, random, signal, tally, say, sleep }) => {
    const { postgresGate } = world
    const times = Math.ceil(random.between(1, cutsMax))
    const before = postgresGate.cutsMade
    const giveUpAtMs = Date.now() + cutDeadlineMs
    say(`the next ${times} commits lose ${when === 'after' ? 'their answers' : 'their connections first'}`)
    postgresGate.cutNext({ when, pattern: 'commit\0', times })
    while (!signal.aborted && postgresGate.cutsMade - before < times && Date.now() < giveUpAtMs) await sleep(pollMs)
    postgresGate.cutNext({ when, times: 0 })
    tally.add(when === 'after' ? 'lostAnswers' : 'cutRequests', postgresGate.cutsMade - before)
    return postgresGate.cutsMade > before
  }
}

/**
 * Commits are answered before they are on disk for some seconds, and then the server is killed: what it had not written
 * is gone, as after a failover to a standby that was behind. Kafka still has the samples.
 */
async function loseCommits(context: Context): Promise<boolean> {
  const { world, tally, say } = context
  const { postgres } = world.servers
  const admin = await openAdmin(postgres.address)
  let before: Progress
  try {
    // Commits do not wait, and the process that writes behind them sleeps as long as it may.
    await admin.query(`alter system set wal_writer_delay = '10s'`)
    await admin.query(`alter system set wal_writer_flush_after = '1GB'`)
    await admin.query('select pg_reload_conf()')
    await admin.query('alter database minutely set synchronous_commit = off')
    reconnect(world)
    await unflushedCommits(admin, context)
    before = await progressOf(admin)
  } finally {
    await admin.end()
    // Nobody may write before commits are safe again.
    world.postgresGate.shut()
    await postgres.kill()
    await postgres.start()
  }
  for (const deed of ['kills', 'outages', 'restarts'] as const) tally.add(deed)
  const lost = await repair(postgres.address, before)
  context.onCommitsLost()
  world.postgresGate.reopen()
  say(`PostgreSQL was killed and lost its last commits: ${lost} partitions are further back than they were`)
  if (lost > 0) tally.add('rewinds')
  return lost > 0
}

/** Returns when something was committed for a while that is not on disk, or the faults are to end. */
async function unflushedCommits(admin: Pool, { signal, sleep }: Context): Promise<void> {
  const giveUpAtMs = Date.now() + commitDeadlineMs
  let settled = await progressOf(admin)
  for (let since = Number.POSITIVE_INFINITY; !signal.aborted && Date.now() < giveUpAtMs; ) {
    const { rows } = await admin.query<{ unflushed: number }>(
      'select (pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn())::float8 as unflushed',
    )
    const now = await progressOf(admin)
    const hasMoved = [...now].some(([partition, at]) => settled.get(partition) !== at)
    if ((rows[0]?.unflushed ?? 0) === 0) {
      settled = now
      since = Number.POSITIVE_INFINITY
    } else if (hasMoved) since = Math.min(since, Date.now())
    if (Date.now() - since >= lossMs) return
    await sleep(pollMs)
  }
}

/** Partition -> when its progress was last written. */
type Progress = ReadonlyMap<string, string>

async function progressOf(admin: Pool): Promise<Progress> {
  const { rows } = await admin.query<{ name: string; version: string }>(
    `select topic || '/' || partition as name, updated_at::text as version from partition_progress`,
  )
  return new Map(rows.map(({ name, version }) => [name, version]))
}

/** Commits wait again, for everybody who connects. @returns how many partitions went back. */
async function repair(address: string, before: Progress): Promise<number> {
  const admin = await openAdmin(address)
  try {
    await admin.query('alter database minutely reset synchronous_commit')
    await admin.query('alter system reset all')
    await admin.query('select pg_reload_conf()')
    const after = await progressOf(admin)
    return [...before].filter(([partition, version]) => after.get(partition) !== version).length
  } finally {
    await admin.end()
  }
}

function reconnect({ postgresGate }: DistributedWorld): void {
  postgresGate.shut()
  postgresGate.reopen()
}

export const faultsOnPostgres: readonly FaultKind<DistributedWorld>[] = [
  {
    name: 'postgres-unreachable',
    lane: 'postgres',
    describes: 'connections to PostgreSQL are cut and refused for a while',
    weight: 1,
    run: unreachable,
  },
  {
    name: 'postgres-killed',
    lane: 'postgres',
    describes: 'kill -9 of PostgreSQL, started again after a while',
    weight: 1,
    run: killServer(({ servers }) => servers.postgres, 0.5),
  },
  {
    name: 'commit-answer-lost',
    lane: 'postgres',
    describes: 'the connection is cut between COMMIT and its answer',
    weight: 1,
    run: cutAtCommit('after'),
  },
  {
    name: 'commit-cut',
    lane: 'postgres',
    describes: 'the connection is cut before COMMIT arrives',
    weight: 1,
    run: cutAtCommit('before'),
  },
  {
    name: 'postgres-loses-commits',
    lane: 'postgres',
    describes: 'kill -9 of PostgreSQL while commits are answered before they are on disk: the last ones are gone',
    weight: 1,
    run: loseCommits,
  },
]
