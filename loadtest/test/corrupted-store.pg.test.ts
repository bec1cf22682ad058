/**
 * The checker finds what it is there for: the store of a real process, in which everything is exact, is corrupted on purpose,
 * once for each mistake, and each is named with its series and its minute or second. Afterwards everything is exact again.
 */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { makeMinutesWritable } from '@minutely/lib/minute-tiers/test-writable-minutes'
import { createPool, type Pool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { DeliveryLedger, minuteMs } from '../src/fleet/delivery-ledger.ts'
import { checkFleetExactly } from '../src/fleet/fleet-checker.ts'
import { ServiceProcess } from '../src/fleet/service-process.ts'
import { batchHeaders, GeneratedFleet } from '../src/generated-fleet.ts'
import { cellMs } from '../src/load-plan.ts'
import { takeLogFolder } from './fleet-fixture.ts'

const settleMs = 20_000
/** Whose values differ from second to second. */
const gauge = 2

describe('the exact check, of a store that was corrupted', { timeout: 120_000 }, () => {
  const fleet = new GeneratedFleet({ hostCount: 2, metricCount: 5, seed: 3 })
  const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - 4 * minuteMs
  const endMs = startMs + 2 * minuteMs
  /** Never sent by host 1. */
  const unsentCell = startMs + 3 * cellMs
  const ledger = new DeliveryLedger()
  const metricId = fleet.series[gauge]?.metricId ?? ''
  const utc = (instantMs: number): string => new Date(instantMs).toISOString().replace('.000Z', 'Z')
  let embedded: ServiceProcess
  let store: Pool

  before(async () => {
    const folder = await takeLogFolder()
    const dataDir = join(folder, 'data')
    embedded = new ServiceProcess({
      name: 'embedded',
      main: 'all-in-one/src/main.ts',
      logFile: join(folder, 'embedded.log'),
      settings: { MINUTELY_DATA_DIR: dataDir, MINUTELY_LOCAL_AGENT: 'off' },
    })
    await embedded.start()
    await embedded.awaitReady(30_000)
    for (let cell = startMs; cell < endMs; cell += cellMs) {
      for (const host of [0, 1]) if (host === 0 || cell !== unsentCell) await send(host, cell)
    }
    store = await openStore(dataDir)
    await makeMinutesWritable(store)
    assert.deepEqual(await problems(settleMs), [])
  })
  after(async () => {
    await store?.end()
    await embedded?.stop()
  })

  async function send(host: number, cell: number): Promise<void> {
    const body = new Uint8Array(fleet.body(host, { startMs: cell, sentAtMs: cell + cellMs }))
    ledger.attempt(host, cell, { nowMs: Date.now() })
    const answer = await fetch(`${embedded.url}/v1/samples`, { method: 'POST', headers: batchHeaders, body })
    assert.equal(answer.status, 202, await answer.text())
    ledger.acknowledge(host, cell, { nowMs: Date.now() })
  }

  async function problems(deadlineMs = 0): Promise<readonly string[]> {
    const found = await checkFleetExactly({
      ...{ fleet, ledger, startMs, endMs, deadlineMs },
      queryUrls: () => [embedded.url],
    })
    return found.problems
  }

  const ofSeries = `where minute_at = $1 and series_id =
    (select series_id from series where server_id = $2 and metric_id = '${metricId}')`

  /** Changes the row of the gauge of a host in the first minute. */
  async function corrupt(change: string, host = 0): Promise<void> {
    const { rowCount } = await store.query(`update minute set ${change} ${ofSeries}`, [
      new Date(startMs),
      fleet.serverId(host),
    ])
    assert.equal(rowCount, 1)
  }

  /** What the check says of it, and that it says nothing once the rows are as they were. */
  async function found(work: () => Promise<void>): Promise<readonly string[]> {
    await store.query('create table kept as select * from minute_block')
    try {
      await work()
      return await problems()
    } finally {
      await store.query('delete from minute_block')
      await store.query('insert into minute_block select * from kept')
      await store.query('drop table kept')
      await store.query(`delete from series where metric_id = 'app.foreign'`)
      assert.deepEqual(await problems(), [], 'exact again')
    }
  }

  const name = (host: number): string => `${fleet.serverId(host)} ${metricId}, ${utc(startMs)}: `
  const valueAt = (host: number, second: number): number => fleet.value(host, gauge, startMs / 1_000 + second)

  test('one sample lost: the second is named', async () => {
    const second = 37
    const others = Array.from({ length: 60 }, (_, each) => valueAt(0, each)).filter((_, each) => each !== second)
    const hundredths = others.reduce((sum, value) => sum + Math.round(value * 100), 0)
    const [min, max] = [Math.min(...others), Math.max(...others)]
    const change = `seen = seen & ~(1::bigint << ${second}), sum = ${hundredths / 100}, min = ${min}, max = ${max}`
    assert.deepEqual(await found(() => corrupt(change)), [
      `${name(0)}${utc(startMs + second * 1_000)}: acknowledged, but missing`,
    ])
  })

  test('one sample counted twice: the second is named', async () => {
    const second = 21
    const change = `seen = seen | (1::bigint << 50), sum = round((sum + ${valueAt(1, second)})::numeric, 2)::float8`
    assert.deepEqual(await found(() => corrupt(change, 1)), [
      `${name(1)}${utc(startMs + second * 1_000)}: counted twice`,
    ])
  })

  test('a whole batch that was never sent: its first second is named', async () => {
    const { rows } = await store.query<{ sum: number }>(`select sum from minute ${ofSeries}`, [
      new Date(startMs),
      fleet.serverId(1),
    ])
    const values = Array.from({ length: 60 }, (_, second) => valueAt(1, second))
    const added = values.slice(45).reduce((sum, value) => sum + Math.round(value * 100), 0)
    const sum = (Math.round((rows[0]?.sum ?? 0) * 100) + added) / 100
    const change = `seen = (1::bigint << 60) - 1, sum = ${sum}, min = ${Math.min(...values)}, max = ${Math.max(...values)}`
    assert.deepEqual(await found(() => corrupt(change, 1)), [
      `${name(1)}${utc(unsentCell)}: is in the minute, but was never sent`,
    ])
  })

  for (const [column, change] of [
    ['sum', 'sum = sum + 0.01'],
    ['min', 'min = min - 0.01'],
    ['max', 'max = max + 0.01'],
  ] as const) {
    test(`a wrong ${column}: what was found and what was expected is said`, async () => {
      const lines = await found(() => corrupt(change))
      assert.equal(lines.length, 1)
      assert.ok(lines[0]?.startsWith(name(0)), lines[0])
      assert.match(
        lines[0] ?? '',
        new RegExp(`found count 60.*${column} .* instead of count 60.*no set of what was sent`),
      )
    })
  }

  test('a series that nobody sent', async () => {
    const lines = await found(async () => {
      await store.query(
        `with foreign_series as (
           insert into series (tenant_id, identity, server_id, metric_id, labels, first_seen_at)
           values (1, gen_random_uuid(), $1, 'app.foreign', '{}', $2) returning series_id)
         insert into minute select series_id, 1, $2, 1, 5, 5, 5 from foreign_series`,
        [fleet.serverId(1), new Date(startMs)],
      )
    })
    assert.deepEqual(
      lines.map((line) => line.trim()),
      ['host-00001 has a series that was never sent: app.foreign'],
    )
  })

  test('a minute in the place of the next one: both are named', async () => {
    const lines = await found(async () => {
      const next = [new Date(startMs + minuteMs), fleet.serverId(0)]
      await store.query(`delete from minute ${ofSeries}`, next)
      await corrupt(`minute_at = minute_at + interval '1 minute'`)
    })
    assert.equal(lines.length, 2)
    assert.equal(lines[0], `${name(0)}${utc(startMs)}: acknowledged, but it and the 14 s after it are missing`)
    assert.match(lines[1] ?? '', new RegExp(`${metricId}, ${utc(startMs + minuteMs)}: found count 60.*no set of what`))
  })
})

/** The PostgreSQL inside of an embedded process. */
async function openStore(dataDir: string): Promise<Pool> {
  const home = join(dataDir, 'database')
  const password = (await readFile(join(home, 'password'), 'utf8')).trim()
  // The fourth line of the postmaster's file is its port.
  const port = Number((await readFile(join(home, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[3])
  const connection = { host: '127.0.0.1', port, user: 'minutely', password, database: 'minutely' }
  return createPool(connection, { name: 'corrupter', connectionsMax: 1 }, { log: silentLog })
}
