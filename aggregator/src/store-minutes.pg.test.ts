import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { minuteMs } from '@minutely/schema/limits'
import fc from 'fast-check'
import { failingPool } from './failing-pool.ts'
import { MinuteModel, sectionOf, storedTable } from './minute-model.ts'
import { MinutePartitions } from './minute-partitions.ts'
import { type Flush, type Stored, StoreMovedError, StoreRewoundError } from './minute-store.ts'
import { MinuteWindows } from './minute-window.ts'
import { readProgress } from './partition-progress.ts'
import { SeriesDictionary } from './series-dictionary.ts'
import { SeriesSlots } from './series-slots.ts'
import { announceSeries, type StoreDeps, storeMinutes } from './store-minutes.ts'

const baseMs = Date.UTC(2027, 0, 15, 9, 59)
const wide = { openMinutesMax: 1_000, lateMinutesMax: 1_000, bytesMax: 1 << 30, lateHoldMs: 0 }
const partition = { topic: 'samples', partition: 0 }
const seriesOf = (name: string) => ({ metricId: name, labels: { host: 'h', disk: name } })

type Rows = { name: string; values: (number | null)[] }[]

/** A store of its own: as another process would have. */
class Store {
  readonly deps: StoreDeps & { slots: SeriesSlots }
  readonly pool: Pool
  number: number

  constructor(pool: Pool, number = 0) {
    this.pool = pool
    this.number = number
    this.deps = {
      pool,
      dictionary: new SeriesDictionary(pool),
      partitions: new MinutePartitions(pool),
      slots: new SeriesSlots(),
    }
  }

  /** Folds the rows from startMs on and stores all of it in one flush, knowing the newest progress unless told otherwise. */
  async store(startMs: number, rows: Rows, more: Partial<Flush> & Partial<StoreDeps> = {}): Promise<Stored> {
    const flush = this.flush(startMs, rows, more)
    const version = 'version' in more ? more.version : await this.version()
    return storeMinutes({ ...flush, version }, { ...this.deps, ...more })
  }

  async version(): Promise<Stored['version']> {
    return (await readProgress(this.pool, { topic: 'samples', partition: this.number })).version
  }

  flush(startMs: number, rows: Rows, more: Partial<Flush> = {}): Flush {
    const windows = new MinuteWindows(wide, 0)
    const section = sectionOf(
      'server',
      { startMs, stepMs: 1_000 },
      rows.map(({ name, values }) => ({ series: seriesOf(name), values })),
    )
    windows.fold(section, this.deps.slots.slotsOf(section), { position: 0, trustedMs: 0 })
    const minutes = windows.closeUpTo(Number.MAX_SAFE_INTEGER, 0)
    const own = { topic: 'samples', partition: this.number }
    return { partition: own, resumeAt: 1, closedThroughMs: baseMs, version: undefined, ...more, minutes }
  }
}

function modelOf(...parts: { startMs: number; rows: Rows }[]) {
  const model = new MinuteModel()
  for (const { startMs, rows } of parts) {
    const named = rows.map(({ name, values }) => ({ series: seriesOf(name), values }))
    model.add('server', { startMs, stepMs: 1_000 }, named)
  }
  return model.table()
}

const ramp = (length: number, from = 0): number[] => Array.from({ length }, (_, index) => (from + index) / 10)

test('new minutes are copied, across an hour, with all their bits', async () => {
  const { pool } = await createTestDatabase()
  const rows = [
    { name: 'a', values: ramp(130) },
    { name: 'b', values: [null, ...ramp(28), null, null, 7, 8, null].concat(Array(96).fill(null)) },
  ]
  const stored = await new Store(pool).store(baseMs, rows)
  assert.equal(stored.mergedRows, 0)
  assert.deepEqual(await storedTable(pool), modelOf({ startMs: baseMs, rows }))
})

test('storing the same again changes nothing and says so', async () => {
  const { pool } = await createTestDatabase()
  const rows = [{ name: 'a', values: ramp(90) }]
  const store = new Store(pool)
  await store.store(baseMs, rows)
  const again = await store.store(baseMs, rows)
  assert.deepEqual([again.rows, again.mergedRows, again.lateSamples], [2, 2, 0])
  assert.deepEqual(await storedTable(pool), modelOf({ startMs: baseMs, rows }))
})

test('a block that only has other series of its chunk is written anew, and the minute is as it was given', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  await store.store(baseMs, [{ name: 'a', values: ramp(20) }])
  const beside = await store.store(baseMs, [{ name: 'b', values: ramp(30) }])
  assert.deepEqual([beside.mergedRows, beside.merged.size], [1, 0])
  const both = await store.store(baseMs, [
    { name: 'a', values: ramp(40) },
    { name: 'c', values: ramp(40) },
  ])
  assert.equal(both.merged.size, 1, 'of one of them there was something')
})

test('a clash of one row merges its minute, and others of the same flush are copied', async () => {
  const { pool } = await createTestDatabase()
  const first = { startMs: baseMs, rows: [{ name: 'a', values: ramp(20) }] }
  const second = {
    startMs: baseMs + 10_000,
    rows: [
      { name: 'a', values: ramp(100, 10) },
      { name: 'b', values: ramp(100) },
    ],
  }
  const store = new Store(pool)
  await store.store(first.startMs, first.rows)
  const stored = await store.store(second.startMs, second.rows)
  assert.equal(stored.rows, 4)
  assert.equal(stored.mergedRows, 2)
  assert.deepEqual(await storedTable(pool), modelOf(first, second))
})

test('series of another partition in the same block are no older state of ours: viewers are told, and the ring is not void without Redis', async () => {
  const { pool } = await createTestDatabase()
  const [one, other] = [new Store(pool), new Store(pool, 1)]
  const [a, b] = [
    { name: 'a', values: ramp(20) },
    { name: 'b', values: ramp(20, 100) },
  ] as const
  // As in a database from before there were chunks: ids side by side.
  await one.store(baseMs - 10 * minuteMs, [a, b])
  assert.equal((await one.store(baseMs, [a])).merged.size, 0)
  const shared = await other.store(baseMs, [b])
  assert.deepEqual([shared.mergedRows, shared.merged.size], [1, 0])
  const again = await other.store(baseMs, [{ name: 'b', values: ramp(60, 100) }])
  assert.deepEqual([again.mergedRows, again.merged.size], [1, 1])
  const parts = [
    { startMs: baseMs - 10 * minuteMs, rows: [a, b] },
    { startMs: baseMs, rows: [a, { name: 'b', values: ramp(60, 100) }] },
  ]
  assert.deepEqual(await storedTable(pool), modelOf(...parts))
})

test('more rows than one statement takes are merged', async () => {
  const { pool } = await createTestDatabase()
  const rowsAt = (from: number) =>
    Array.from({ length: 5_500 }, (_, n) => ({ name: `s${n}`, values: [from + n, from] }))
  const store = new Store(pool)
  const first = { startMs: baseMs, rows: rowsAt(1) }
  const second = { startMs: baseMs + 30_000, rows: rowsAt(2).toReversed() }
  await store.store(first.startMs, first.rows)
  await store.store(second.startMs, second.rows)
  assert.deepEqual(await storedTable(pool), modelOf(first, second))
})

test('any parts in any order end in the union', async () => {
  const { pool } = await createTestDatabase()
  let hour = 0
  const part = fc.record({
    offset: fc.nat(100),
    rows: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        values: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      }),
      { minLength: 1, selector: ({ name }) => name },
    ),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
      // An hour of its own each, and the value says the second, so overlapping parts agree.
      const startMs = Date.UTC(2027, 1, 1) + hour++ * 3_600_000
      const concrete = parts.map(({ offset, rows }) => ({
        startMs: startMs + offset * 1_000,
        rows: rows.map(({ name, values }) => ({
          name,
          values: values.map((present, index) => (present ? (offset + index) / 10 : null)),
        })),
      }))
      const store = new Store(pool)
      for (const { startMs, rows } of concrete) await store.store(startMs, rows)
      const expected = modelOf(...concrete)
      const stored = Object.entries(await storedTable(pool))
      const own = stored.filter(([key]) => Date.parse(key.slice(key.lastIndexOf(' ') + 1)) >= startMs)
      assert.deepEqual(Object.fromEntries(own), expected)
    }),
    { numRuns: 30 },
  )
})

/** As the consumer does: a deadlock's victim tries again. */
async function storeUntilDone(store: Store, flush: () => Flush): Promise<void> {
  for (;;) {
    try {
      await storeMinutes({ ...flush(), version: await store.version() }, store.deps)
      return
    } catch (error) {
      const { code } = error as { code?: string }
      // 40P01: deadlock detected.
      if (code !== '40P01') throw error
    }
  }
}

test('two processes that store overlapping parts at the same time end in the union', async () => {
  const { pool } = await createTestDatabase()
  const names = Array.from({ length: 40 }, (_, n) => `s${n}`)
  for (let round = 0; round < 12; round++) {
    const startMs = baseMs + round * 10 * minuteMs
    const parts = [0, 1].map((side) => ({
      startMs: startMs + side * 20_000,
      rows: (side === 0 ? names : names.toReversed()).map((name) => ({ name, values: ramp(80, side * 200) })),
    }))
    const stores = [0, 1].map((number) => new Store(pool, number))
    await Promise.all(
      parts.map(({ startMs, rows }, side) => {
        const store = stores[side] as Store
        return storeUntilDone(store, () => store.flush(startMs, rows))
      }),
    )
    // Their values differ, so which is first is open; what was seen is not.
    const table = await storedTable(pool)
    const expected = Object.entries(modelOf(...parts))
    for (const [key, row] of expected) {
      assert.equal(table[key]?.seen, row.seen, key)
      assert.ok((table[key]?.min ?? Number.NaN) <= (table[key]?.max ?? Number.NaN))
    }
  }
})

test('two processes that store the very same rows at the same time, in opposite order, store them once', async () => {
  const { pool } = await createTestDatabase()
  const names = Array.from({ length: 300 }, (_, n) => `s${n}`)
  for (let round = 0; round < 8; round++) {
    const startMs = baseMs + round * 10 * minuteMs
    const rows = names.map((name) => ({ name, values: ramp(70) }))
    const stores = [0, 1, 2].map((number) => new Store(pool, number))
    await Promise.all(
      stores.map((store, side) =>
        storeUntilDone(store, () => store.flush(startMs, side === 0 ? rows : rows.toReversed())),
      ),
    )
  }
  const parts = Array.from({ length: 8 }, (_, round) => ({
    startMs: baseMs + round * 10 * minuteMs,
    rows: names.map((name) => ({ name, values: ramp(70) })),
  }))
  assert.deepEqual(await storedTable(pool), modelOf(...parts))
})

test('progress never goes back', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  await store.store(baseMs, [], { resumeAt: 50, closedThroughMs: baseMs })
  await store.store(baseMs, [], { resumeAt: 20, closedThroughMs: baseMs - minuteMs })
  const { position, completeThroughMs } = await readProgress(pool, partition)
  assert.deepEqual({ position, completeThroughMs }, { position: 50, completeThroughMs: baseMs })
})

test('without a row of progress everything is needed', async () => {
  const { pool } = await createTestDatabase()
  assert.deepEqual(await readProgress(pool, partition), {
    position: undefined,
    completeThroughMs: 0,
    anchor: undefined,
    version: undefined,
    isBehind: false,
  })
})

test('the answer to COMMIT is lost: repeating it is harmless', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(failingPool(pool, [{ statement: 'commit', when: 'after' }]))
  const rows = [{ name: 'a', values: ramp(90) }]
  const before = await store.store(baseMs, [], { version: undefined }).catch(() => undefined)
  assert.equal(before, undefined, 'the connection broke')
  const { version } = await readProgress(pool, partition)
  assert.ok(version !== undefined, 'yet it was committed')
  await assert.rejects(store.store(baseMs, rows, { version: undefined }), StoreMovedError)
  await store.store(baseMs, rows, { version })
  const again = await store.store(baseMs, rows)
  assert.equal(again.lateSamples, 0)
  assert.deepEqual(await storedTable(pool), modelOf({ startMs: baseMs, rows }))
})

for (const statement of ['begin', 'insert into minute_block', 'insert into partition_progress', 'commit']) {
  test(`Postgres fails before ${statement}: nothing is stored, and the repetition stores all`, async () => {
    const { pool } = await createTestDatabase()
    const store = new Store(failingPool(pool, [{ statement, when: 'before' }]))
    const rows = [{ name: 'a', values: ramp(90) }]
    await assert.rejects(store.store(baseMs, rows), /the connection broke/)
    assert.deepEqual(await storedTable(pool), {})
    await store.store(baseMs, rows)
    assert.deepEqual(await storedTable(pool), modelOf({ startMs: baseMs, rows }))
  })
}

test("the log's position is committed with the minutes or not at all", async () => {
  const { pool } = await createTestDatabase()
  await pool.query('create table committed (position integer)')
  const store = new Store(pool)
  const rows = [{ name: 'a', values: ramp(10) }]
  const failing = store.store(baseMs, rows, {
    commitWithin: async (client, _partition, position) => {
      await client.query('insert into committed values ($1)', [position])
      throw new Error('the log refuses')
    },
  })
  await assert.rejects(failing, /the log refuses/)
  assert.deepEqual(await storedTable(pool), {})
  await store.store(baseMs, rows, {
    resumeAt: 9,
    commitWithin: async (client, _partition, position) => {
      await client.query('insert into committed values ($1)', [position])
    },
  })
  assert.deepEqual((await pool.query('select * from committed')).rows, [{ position: 9 }])
})

test('a partition that another process dropped is made again', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  const rows = [{ name: 'a', values: ramp(10) }]
  await store.store(baseMs, rows)
  await new MinutePartitions(pool).dropBefore(baseMs + 24 * 3_600_000)
  await store.store(baseMs, rows)
  assert.deepEqual(await storedTable(pool), modelOf({ startMs: baseMs, rows }))
})

test('a database that lost commits is noticed by the next flush and the next announcement', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  const rows = [{ name: 'a', values: ramp(10) }]
  const first = await store.store(baseMs, rows)
  await pool.query('create table kept as select * from partition_progress')
  const second = await store.store(baseMs + minuteMs, rows, { version: first.version })
  await assert.rejects(store.store(baseMs, [], { version: first.version }), {
    name: 'StoreMovedError',
  })
  await pool.query('truncate partition_progress')
  await pool.query('insert into partition_progress select * from kept')
  await assert.rejects(store.store(baseMs, [], { version: second.version }), StoreRewoundError)
  await pool.query('truncate partition_progress')
  await assert.rejects(store.store(baseMs, [], { version: first.version }), StoreRewoundError)
  const added = store.deps.slots.takeAdded()
  assert.equal(added.length, 1)
  await assert.rejects(announceSeries(added, { partition, version: first.version }, store.deps), StoreRewoundError)
})

test('ids that are lost between the statement that gave them out and the announcement are noticed', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  const { version } = await store.store(baseMs, [])
  const { slots, dictionary } = store.deps
  slots.slotsOf(sectionOf('new', { startMs: baseMs, stepMs: 1_000 }, [{ series: seriesOf('x'), values: [1] }]))
  const added = slots.takeAdded()
  await dictionary.resolve(added, { firstSeenMs: baseMs, owner: 'samples 0' })
  // Back to before the series was written, but not before the progress that the announcement knows.
  await pool.query('delete from series')
  await assert.rejects(announceSeries(added, { partition, version }, store.deps), StoreRewoundError)
  assert.equal((await readProgress(pool, partition)).version, version)
})

test('an id that has been given to another series meanwhile is noticed', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  const { version } = await store.store(baseMs, [])
  const { slots, dictionary } = store.deps
  slots.slotsOf(sectionOf('new', { startMs: baseMs, stepMs: 1_000 }, [{ series: seriesOf('x'), values: [1] }]))
  const added = slots.takeAdded()
  await dictionary.resolve(added, { firstSeenMs: baseMs, owner: 'samples 0' })
  await pool.query(`update series set identity = gen_random_uuid(), server_id = 'other'`)
  await assert.rejects(announceSeries(added, { partition, version }, store.deps), StoreRewoundError)
})

test('a loss shows also when another owner has written since', async () => {
  const { pool } = await createTestDatabase()
  const [one, other] = [new Store(pool), new Store(pool)]
  const first = await one.store(baseMs, [])
  await pool.query('create table kept as select * from partition_progress')
  const lost = await one.store(baseMs, [{ name: 'a', values: ramp(10) }], { version: first.version, resumeAt: 9 })
  await pool.query('truncate partition_progress')
  await pool.query('insert into partition_progress select * from kept')
  await other.store(baseMs, [], { version: first.version })
  await assert.rejects(one.store(baseMs, [], { version: lost.version, resumeAt: 12 }), StoreMovedError)
  assert.equal((await readProgress(pool, partition)).position, 1)
})

test('an announcement makes series and servers known, and its loss shows', async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  const { version } = await store.store(baseMs, [])
  const section = sectionOf('new', { startMs: baseMs, stepMs: 1_000 }, [{ series: seriesOf('x'), values: [1] }])
  store.deps.slots.slotsOf(section)
  const announced = await announceSeries(store.deps.slots.takeAdded(), { partition, version }, store.deps)
  assert.deepEqual((await pool.query('select server_id, metric_id from series')).rows, [
    { server_id: 'new', metric_id: 'x' },
  ])
  assert.deepEqual((await pool.query('select server_id from server')).rows, [{ server_id: 'new' }])
  assert.ok(announced !== undefined && announced !== version)
})

test("a server's instants only widen, and it is not written when there is nothing to say", async () => {
  const { pool } = await createTestDatabase()
  const store = new Store(pool)
  const rows = [{ name: 'a', values: [1] }]
  const seen = async () =>
    (await pool.query('select first_seen_at, last_seen_at, xmin::text as version from server')).rows[0]
  await store.store(baseMs, rows)
  const first = await seen()
  await store.store(baseMs, rows)
  assert.deepEqual(await seen(), first)
  await store.store(baseMs - minuteMs, rows)
  const wider = await seen()
  assert.equal(wider.first_seen_at.getTime(), baseMs - minuteMs)
  assert.equal(wider.last_seen_at.getTime(), baseMs + minuteMs)
})
