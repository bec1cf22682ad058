/**
 * What the recent ring costs beside Postgres: the same minutes are written to both, in turns, and the CPU of
 * this process, of Redis and of Postgres is added up for each. The goal is a ratio below 1/5. Linux only; needs
 * redis-server on the PATH.
 *
 *   node_modules/.bin/node loadtest/src/ring-bench.ts [--series 5000] [--minutes 60] [--gather 10]
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { storeRows } from '@minutely/aggregator/store-chunks'
import { SystemClock } from '@minutely/lib/clock'
import { createLogger } from '@minutely/lib/logging'
import { startEmbeddedServer } from '@minutely/lib/postgres/embedded-server'
import { migrate } from '@minutely/lib/postgres/migrate'
import { createPool, inTransaction, type PoolClient } from '@minutely/lib/postgres/pool'
import { createRegistry } from '@minutely/lib/process-metrics'
import type { RingRows } from '@minutely/lib/recent-ring/recent-ring'
import { RedisRecentRing } from '@minutely/lib/recent-ring/redis-recent-ring'
import { createRingMetrics } from '@minutely/lib/recent-ring/ring-metrics'
import { createRedisClient } from '@minutely/lib/redis/redis-client'
import { costOf } from './process-cost.ts'

const { values: options } = parseArgs({
  options: {
    series: { type: 'string', default: '5000' },
    minutes: { type: 'string', default: '60' },
    gather: { type: 'string', default: '10' },
  },
})
const [seriesCount, minuteCount] = [Number(options.series), Number(options.minutes)]
/** Looking at what processes cost is not free, and its garbage would be charged to what is measured. */
const minutesPerTurn = 20
const port = 20_000 + (process.pid % 10_000)
const firstMinute = Math.floor(Date.now() / 3_600_000) * 60 - 60
const log = createLogger({ level: 'error', format: 'json' })
const clock = new SystemClock()
const folder = await mkdtemp(join(tmpdir(), 'minutely-ring-bench-'))
const redisServer = spawn('redis-server', [
  '--port',
  String(port),
  '--bind',
  '127.0.0.1',
  '--save',
  '',
  '--dir',
  folder,
])
const postgres = await startEmbeddedServer({ dataDir: join(folder, 'postgres'), onProgress: () => {} })
const pool = createPool(postgres.connection, { name: 'bench', connectionsMax: 2 }, { log })
const redis = createRedisClient(
  { url: `redis://127.0.0.1:${port}`, timeoutMs: 10_000, queueBytesMax: 1 << 28, reconnectMsMax: 100 },
  'bench',
  { log, clock },
)

try {
  await prepare()
  await measure()
} finally {
  await redis.stop()
  redisServer.kill()
  await pool.end()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}

async function prepare(): Promise<void> {
  await migrate(pool)
  const hour = (offset: number): string => new Date((firstMinute + offset * 60) * 60_000).toISOString()
  for (let offset = 0; offset < Math.ceil(minuteCount / 60) + 1; offset++) {
    await pool.query(
      `create table minute_block_${offset} partition of minute_block for values from ('${hour(offset)}') to ('${hour(offset + 1)}')`,
    )
  }
  await redis.start()
  await new Promise<void>((resolve) => void redis.onReady(() => resolve()))
}

async function measure(): Promise<void> {
  const metrics = createRingMetrics(createRegistry())
  const config = {
    prefix: 'bench',
    hours: 48,
    gatherMinutes: Number(options.gather),
    writeBudgetMs: 60_000,
    readBudgetMs: 60_000,
    breakerMs: 0,
    partBytesMax: 131_072,
    queueBytesMax: 1 << 28,
    readKeysMax: 100_000,
    repairRowsPerS: 1,
  }
  const ring = new RedisRecentRing(config, { redis, clock, log, metrics })
  const identity = { epoch: '1', runId: redis.runId }
  const [toPostgres, toRing] = [newCost(), newCost()]
  for (let done = 0; done < minuteCount; done += minutesPerTurn) {
    const block = Array.from({ length: minutesPerTurn }, (_, offset) => rowsOf(firstMinute + done + offset))
    await charge(toPostgres, async () => {
      for (const rows of block) await inTransaction(pool, (client) => storeMinute(client, rows))
    })
    await charge(toRing, async () => {
      for (const rows of block) assert.notEqual(await ring.push(identity, rows), 'dropped')
    })
  }
  const rowCount = seriesCount * minuteCount
  const perRow = (seconds: number): string => `${((seconds / rowCount) * 1e6).toFixed(2)} us`
  for (const [name, cost] of Object.entries({ postgres: toPostgres, ring: toRing })) {
    const all = cost.nodeS + cost.redisS + cost.postgresS
    const parts = `node ${perRow(cost.nodeS)}, redis ${perRow(cost.redisS)}, postgres ${perRow(cost.postgresS)}`
    say(`${name.padEnd(8)} ${perRow(all)} of CPU a minute of a series (${parts}); ${perRow(cost.wallS)} of time`)
  }
  const ratio = (toRing.nodeS + toRing.redisS) / (toPostgres.nodeS + toPostgres.postgresS)
  const memory = /^used_memory:(\d+)/m.exec(String(await redis.call('info', ['memory'])))?.[1] ?? '0'
  const keyHours = seriesCount * Math.ceil(minuteCount / 60)
  say(`ratio ring / postgres: ${ratio.toFixed(3)} (goal: below 0.2)`)
  say(`memory of Redis: ${Math.round(Number(memory) / keyHours)} bytes a series and hour`)
}

interface Cost {
  nodeS: number
  redisS: number
  postgresS: number
  wallS: number
}

function newCost(): Cost {
  return { nodeS: 0, redisS: 0, postgresS: 0, wallS: 0 }
}

/** Looking at other processes costs time itself, which is kept out. */
async function charge(cost: Cost, work: () => Promise<void>): Promise<void> {
  const othersBefore = readOthers()
  const ownBefore = readOwn()
  await work()
  const own = readOwn()
  const others = readOthers()
  cost.nodeS += own.nodeS - ownBefore.nodeS
  cost.wallS += own.wallS - ownBefore.wallS
  cost.redisS += others.redisS - othersBefore.redisS
  cost.postgresS += others.postgresS - othersBefore.postgresS
}

function readOwn() {
  const { user, system } = process.cpuUsage()
  return { nodeS: (user + system) / 1e6, wallS: performance.now() / 1000 }
}

function readOthers() {
  const redisS = costOf(redisServer.pid ?? 0).own.cpuS
  return { redisS, postgresS: costOf(process.pid).descendants.cpuS - redisS }
}

function rowsOf(minute: number): RingRows {
  const rows = {
    count: seriesCount,
    seriesIds: new Int32Array(seriesCount),
    tags: new Uint32Array(seriesCount),
    minutes: new Uint32Array(seriesCount).fill(minute),
    seenLow: new Uint32Array(seriesCount).fill(0xffff_ffff),
    seenHigh: new Uint32Array(seriesCount).fill(0x0fff_ffff),
    min: new Float64Array(seriesCount),
    max: new Float64Array(seriesCount),
    sum: new Float64Array(seriesCount),
  }
  for (let row = 0; row < seriesCount; row++) {
    const id = row + 1
    rows.seriesIds[row] = id
    rows.tags[row] = Math.imul(id, 2_654_435_761)
    rows.min[row] = id / 10
    rows.max[row] = id / 10 + minute
    rows.sum[row] = id * 7.5
  }
  return rows
}

/** The aggregator's fast path: a binary COPY (aggregator/src/minute-copy.ts has the layout). */
/** All of one minute, none of which is there. */
async function storeMinute(client: PoolClient, rows: RingRows): Promise<void> {
  const { count, seriesIds, min, max, sum } = rows
  // Halves of 32 and 28 bits to halves of 30.
  const seenLow = Int32Array.from(rows.seenLow, (low) => low & 0x3fff_ffff)
  const seenHigh = Int32Array.from(rows.seenHigh, (high, row) => (high << 2) | ((rows.seenLow[row] as number) >>> 30))
  const minuteMs = (rows.minutes[0] as number) * 60_000
  const rolled = { rowCount: count, seenLow, seenHigh, min, max, sum }
  const tenantIds = new Int32Array(count).fill(1)
  const source = { values: new Float64Array(), maybeSealed: false }
  const { mergedRows } = await storeRows(client, { minuteMs, rolled, seriesIds, tenantIds }, source)
  assert.equal(mergedRows, 0)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
