/** Hours and minutes of metrics that are kept for different times: each in partitions of its class, dropped by class and nothing else. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { migrate, readMigrations } from '@minutely/lib/postgres/migrate'
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { Retention, retentionRules } from '../retention.ts'
import { dropExpired } from './drop-expired.ts'
import { readClasses, syncClasses } from './retention-classes.ts'
import {
  createTestSealer,
  hotRows,
  hour,
  hourAtMs,
  hourMs,
  lateData,
  rolledHours,
  SealingOwner,
  sealConfig,
  sealStates,
  storedHours,
  wholeHour,
} from './test-sealing.ts'
import { ensurePartitions, listTierPartitions } from './tier-partitions.ts'
import { dayTable, hourTable, readTierRows } from './tier-table.ts'
import { ensureTiers, TierWriter } from './write-sealed.ts'

const configOf = (written: string, retentionHours = 48) => ({
  ...sealConfig,
  retentionHours,
  hourRetentionDays: 400,
  retentionByMetric: retentionRules.parse(written),
})
const midnightMs = Date.UTC(2027, 0, 16)

/** 09:00 is sealed; a is kept for 6 hours, b for a week, c and d as the rest. */
async function createSealed(written = 'a=6h/48h,b=7d') {
  const { pool } = await createTestDatabase()
  const owner = new SealingOwner(pool)
  await owner.store(wholeHour)
  await pool.query('drop table minute_block_2027011508')
  const config = configOf(written)
  const sealer = createTestSealer(pool, config)
  await sealer.look()
  return { pool, owner, sealer, config, retention: new Retention(config) }
}

async function partitionNames(pool: Pool): Promise<string[]> {
  return (await listTierPartitions(pool)).map(({ name }) => name)
}

/** Names of metrics with a block of the hour, by class. */
async function blocksByClass(pool: Pool): Promise<Record<number, string>> {
  const { rows } = await pool.query<{ class: number; names: string }>(
    `select class, string_agg(metric_id, ' ' order by metric_id) as names
     from hour_block join series using (series_id) where hour = $1 group by class`,
    [hour],
  )
  return Object.fromEntries(rows.map((row) => [row.class, row.names]))
}

describe('classes of retention', () => {
  it('lie in partitions of their own, as long as suits their retention', async () => {
    const { pool, sealer, config } = await createSealed()
    assert.deepEqual(await blocksByClass(pool), { 0: 'c', 1: 'a', 2: 'b' })
    assert.deepEqual(await partitionNames(pool), [
      'day_block_c0_2027011400_768h',
      'day_block_c1_2027011500_24h',
      'day_block_c2_2027011400_768h',
      'hour_block_20270115',
      'hour_block_c1_2027011509_1h',
      'hour_block_c1_2027011510_1h',
      'hour_block_c2_2027011500_24h',
    ])
    assert.deepEqual(await storedHours(pool), await rolledHours(pool))
    const { rows } = await pool.query(
      'select hour - $1 as hour, class, series_minutes, series_hours from sealed_count',
      [hour],
    )
    assert.deepEqual(
      rows.map((row) => [row.hour, row.class, Number(row.series_minutes), Number(row.series_hours)]).sort(),
      [
        [0, 0, 4, 1],
        [0, 1, 60, 1],
        [0, 2, 60, 1],
        [1, 1, 1, 1],
        [1, 2, 1, 1],
      ],
    )
    // Again, with nothing to do.
    assert.deepEqual(await syncClasses(pool, new Retention(config)), await readClasses(pool, new Retention(config)))
    await sealer.stop()
  })

  it('have both hours of a day that a sealer and an importer write at the same time', async () => {
    const { pool, sealer, retention } = await createSealed()
    await sealer.stop()
    const { rows } = await pool.query<{ series_id: number }>("select series_id from series where metric_id = 'c'")
    const seriesId = rows[0]?.series_id as number
    const tiers = { retention, classes: await readClasses(pool, retention) }
    const clients = [await pool.connect(), await pool.connect()] as const
    const [known] = (await readTierRows(clients[0], { table: hourTable, key: hour }, [seriesId])).values()
    const write = async (client: PoolClient, written: number): Promise<void> => {
      const rolled = { count: 1, min: 1, max: 1, sum: 1 }
      const one = { seriesId, tenantId: 1, block: known?.block as Buffer, rolled, minuteCount: 1, newMinuteCount: 1 }
      await client.query('begin')
      await new TierWriter(tiers).write(client, { hour: written, packed: [one], existing: new Map() })
    }
    for (const written of [hour + 2, hour + 3]) await ensureTiers(clients[0], written, tiers)
    await write(clients[0], hour + 2)
    const second = write(clients[1], hour + 3)
    const isWaiting = async (): Promise<boolean> =>
      (await pool.query('select from pg_locks where not granted')).rowCount !== 0
    while (!(await isWaiting()));
    await clients[0].query('commit')
    await second
    await clients[1].query('commit')
    for (const client of clients) client.release()
    const ofSeries = Object.keys(await storedHours(pool)).filter((key) => key.startsWith(`${seriesId} `))
    assert.deepEqual(ofSeries.sort(), [`${seriesId} 0`, `${seriesId} 2`, `${seriesId} 3`])
  })

  it('are dropped each in its time, and nothing else', async () => {
    const { pool, sealer, retention } = await createSealed()
    const dropAt = (nowMs: number) => dropExpired(pool, retention, nowMs)
    assert.deepEqual(await dropAt(hourAtMs + 7 * hourMs - 1), [])
    assert.deepEqual(await dropAt(hourAtMs + 7 * hourMs), ['hour_block_c1_2027011509_1h'])
    assert.deepEqual(await blocksByClass(pool), { 0: 'c', 2: 'b' })
    // As long as there is a block of the hour, writers must know.
    assert.equal((await sealStates(pool))[0], 'sealed')
    const hours = await storedHours(pool)
    assert.deepEqual(await dropAt(midnightMs + 48 * hourMs), [
      'hour_block_20270115',
      'hour_block_c1_2027011510_1h',
      'day_block_c1_2027011500_24h',
    ])
    assert.deepEqual(await blocksByClass(pool), { 2: 'b' })
    assert.equal(Object.keys(await storedHours(pool)).length, Object.keys(hours).length - 2)
    assert.equal((await sealStates(pool))[0], 'sealed')
    assert.deepEqual(await dropAt(midnightMs + 7 * 24 * hourMs), ['hour_block_c2_2027011500_24h'])
    assert.deepEqual(await sealStates(pool), {})
    assert.equal(Object.keys(await storedHours(pool)).length, 3, 'hours stay when their minutes go')
    const last = await dropAt(Date.UTC(2027, 1, 15) + 400 * 24 * hourMs)
    assert.deepEqual(last, ['day_block_c0_2027011400_768h', 'day_block_c2_2027011400_768h'])
    assert.deepEqual((await pool.query('select from sealed_count')).rowCount, 0)
    await sealer.stop()
  })

  it('wait for a reader briefly when they are to be dropped, and are dropped the next time', async () => {
    const { pool, owner, sealer, config } = await createSealed()
    await sealer.stop()
    const reader = await pool.connect()
    await reader.query('begin')
    // Of another hour of the class, but of the same table.
    await reader.query('select count(*) from hour_block where hour = $1', [hour + 1])
    assert.deepEqual(await owner.dropExpired(config, hourAtMs + 7 * hourMs), [])
    assert.deepEqual(await blocksByClass(pool), { 0: 'c', 1: 'a', 2: 'b' })
    await reader.query('rollback')
    reader.release()
    assert.deepEqual(await owner.dropExpired(config, hourAtMs + 7 * hourMs), ['hour_block_c1_2027011509_1h'])
  })

  it('take new durations at once, and new patterns for what is sealed from then on', async () => {
    const { pool, owner, sealer, retention } = await createSealed()
    await sealer.stop()
    const config = configOf('b=1h,c=1h,a=2d', 24)
    const later = createTestSealer(pool, config)
    while (true) {
      await owner.store(lateData)
      await later.clock.advance(16 * 60_000)
      await later.look()
      if ((await hotRows(pool)) === -1) break
    }
    // What has a block stays where it is; d comes only now.
    assert.deepEqual(await blocksByClass(pool), { 0: 'c d', 1: 'a', 2: 'b' })
    assert.deepEqual(await storedHours(pool), await rolledHours(pool))
    const changed = new Retention(config)
    const classes = (await readClasses(pool, changed)).map((one) => [one.pattern, one.minuteHours, one.isCurrent])
    assert.deepEqual(classes, [
      ['*', 24, true],
      ['a', 48, true],
      ['b', 1, true],
      ['c', 1, true],
    ])
    const withoutB = new Retention(configOf('a=6h'))
    assert.equal((await readClasses(pool, withoutB)).find(({ pattern }) => pattern === 'b')?.minuteHours, 48)
    assert.notDeepEqual(await readClasses(pool, retention), classes)
    await later.stop()
  })

  it('of a span that lies among others get shorter ones', async () => {
    const { pool } = await createTestDatabase()
    const at = (hourOfDay: number, keptHours: number) => ({
      table: hourTable,
      class: 0,
      hour: 24 * 20_000 + hourOfDay,
      keptHours,
    })
    const client = await pool.connect()
    await ensurePartitions(client, [at(7, 6), at(13, 24), at(14, 48), at(3, 48), at(8, 48), at(7, 48)])
    const spans = (await listTierPartitions(pool)).map(({ fromHour, toHour }) => [fromHour % 24, toHour - fromHour])
    assert.deepEqual(
      spans.sort(([a = 0], [b = 0]) => a - b),
      [
        [0, 6],
        [7, 1],
        [8, 1],
        [12, 6],
      ],
    )
    const days = { table: dayTable, class: 0, hour: 24 * 20_000, keptHours: 9_600 }
    await ensurePartitions(client, [days, { ...days, hour: days.hour + 1 }])
    client.release()
    assert.equal((await listTierPartitions(pool)).length, 5)
  })
})

describe('a database from before there were classes', () => {
  it('keeps its blocks, as class 0, and drops them in their time', async () => {
    const { pool } = await createTestDatabase()
    await pool.query('drop schema public cascade; create schema public; grant usage on schema public to public')
    const migrations = readMigrations()
    await migrate(pool, migrations.slice(0, 8))
    await pool.query(
      `create table hour_block_20270115 partition of hour_block for values from (${hour - 9}) to (${hour + 15});
       insert into hour_block values (7, ${hour}, 1, '\\x01'), (8, ${hour}, 1, '\\x02');
       insert into hour_seal values (${hour}, 'sealed', false, now())`,
    )
    await migrate(pool, migrations)
    const { rows } = await pool.query('select series_id, class, rolled from hour_block join hour_seal using (hour)')
    assert.deepEqual(rows.map((row) => [row.series_id, row.class, row.rolled]).sort(), [
      [7, 0, false],
      [8, 0, false],
    ])
    const again = `insert into hour_block (series_id, hour, tenant_id, block, class) values (7, ${hour}, 1, '', 0)`
    await assert.rejects(pool.query(again), { code: '23505' })
    const retention = new Retention(configOf(''))
    assert.deepEqual(await dropExpired(pool, retention, midnightMs + 48 * hourMs), ['hour_block_20270115'])
  })
})

describe('late data for an hour whose minutes are past their retention', () => {
  it('is left out and counted; the hour stays what it was, and other metrics of that hour take theirs', async () => {
    const { pool, owner, sealer, retention } = await createSealed()
    await dropExpired(pool, retention, hourAtMs + 7 * hourMs)
    const before = await storedHours(pool)
    await owner.store(lateData)
    await sealer.clock.advance(16 * 60_000)
    await sealer.look()
    assert.deepEqual([(await sealStates(pool))[0], await hotRows(pool)], ['sealed', -1])
    const after = await storedHours(pool)
    const { rows } = await pool.query('select metric_id, series_id from series')
    const keyOf = (name: string): string => `${rows.find(({ metric_id }) => metric_id === name)?.series_id} 0`
    assert.equal(after[keyOf('a')], before[keyOf('a')])
    assert.notEqual(after[keyOf('b')], before[keyOf('b')])
    assert.deepEqual(await blocksByClass(pool), { 0: 'c d', 2: 'b' })
    assert.equal(await sealer.expiredMinutes(), 5)
    // Also when nothing is left that says the hour was ever sealed.
    await pool.query('truncate hour_seal, hour_block')
    await owner.store(lateData)
    await sealer.clock.advance(16 * 60_000)
    await sealer.look()
    assert.deepEqual([await storedHours(pool), await blocksByClass(pool)], [after, {}])
    await sealer.stop()
  })
})
