import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { chunkOf } from '@minutely/schema/minute-block/minute-block'
import { encodeSeriesList } from '@minutely/schema/sample-codec'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { SeriesDictionary } from './series-dictionary.ts'
import { SeriesSlots, type SlotEntry } from './series-slots.ts'

const baseMs = Date.UTC(2027, 0, 15, 9)

function entriesOf(series: SeriesRef[], owner = { tenantId: 'default', serverId: 'a' }): SlotEntry[] {
  const slots = new SeriesSlots()
  slots.slotsOf({ ...owner, series: encodeSeriesList(series), startMs: baseMs })
  return slots.takeAdded()
}

const idsOf = (entries: SlotEntry[]) => new Map(entries.map(({ series, seriesId }) => [series.metricId, seriesId]))
const many = (from: number, to: number): SeriesRef[] =>
  Array.from({ length: to - from }, (_, n) => ({ metricId: `m${from + n}`, labels: { n: String(from + n) } }))

test('two dictionaries that resolve overlapping series at the same time agree', async () => {
  const { pool } = await createTestDatabase()
  for (let round = 0; round < 5; round++) {
    const start = round * 1_000
    const sides = [entriesOf(many(start, start + 300)), entriesOf(many(start + 100, start + 400).toReversed())]
    await Promise.all(
      sides.map((entries) => new SeriesDictionary(pool).resolve(entries, { firstSeenMs: baseMs, owner: 'samples 0' })),
    )
    const [left, right] = sides.map(idsOf)
    assert.ok(left && right)
    for (const [metricId, id] of right) {
      assert.ok(id !== undefined)
      if (left.has(metricId)) assert.equal(left.get(metricId), id)
    }
  }
  const { rows } = await pool.query('select count(*)::int as n, count(distinct series_id)::int as ids from series')
  assert.deepEqual(rows, [{ n: 5 * 400, ids: 5 * 400 }])
})

test('more series than one statement takes get an id each', async () => {
  const { pool } = await createTestDatabase()
  const entries = entriesOf(many(0, 5_001))
  await new SeriesDictionary(pool).resolve(entries, { firstSeenMs: baseMs, owner: 'samples 0' })
  assert.equal(new Set(entries.map(({ seriesId }) => seriesId)).size, 5_001)
})

test('new series get ids in the order of their slots, so that those of a server lie side by side', async () => {
  const { pool } = await createTestDatabase()
  const known = entriesOf(many(50, 60))
  await new SeriesDictionary(pool).resolve(known, { firstSeenMs: baseMs, owner: 'samples 0' })
  const entries = entriesOf(many(0, 100))
  await new SeriesDictionary(pool).resolve(entries, { firstSeenMs: baseMs, owner: 'samples 0' })
  // Another one: what the first has not used of its last chunk stays unused.
  const ids = entries.filter((_, index) => index < 50 || index >= 60).map(({ seriesId }) => seriesId as number)
  assert.deepEqual(
    ids,
    ids.map((_, index) => (ids[0] as number) + index),
  )
  assert.ok((ids[0] as number) > Math.max(...known.map(({ seriesId }) => seriesId as number)))
})

test('a series keeps its id, its labels and the minute it was first seen in', async () => {
  const { pool } = await createTestDatabase()
  const labels = { __proto__x: 'y', quote: '"\\\'', uni: 'zoë 🙂' }
  const first = entriesOf([{ metricId: 'x', labels }])
  await new SeriesDictionary(pool).resolve(first, { firstSeenMs: baseMs, owner: 'samples 0' })
  const second = entriesOf([{ metricId: 'x', labels }])
  await new SeriesDictionary(pool).resolve(second, { firstSeenMs: baseMs + 3_600_000, owner: 'samples 0' })
  assert.equal(second[0]?.seriesId, first[0]?.seriesId)
  const { rows } = await pool.query('select labels, first_seen_at from series')
  assert.deepEqual(rows, [{ labels, first_seen_at: new Date(baseMs) }])
})

test('equal series of other servers and tenants are others', async () => {
  const { pool } = await createTestDatabase()
  const owners = [
    { tenantId: 'default', serverId: 'a' },
    { tenantId: 'default', serverId: 'b' },
    { tenantId: 'new', serverId: 'a' },
  ]
  const dictionary = new SeriesDictionary(pool)
  const entries = owners.flatMap((owner) => entriesOf([{ metricId: 'x', labels: {} }], owner))
  await dictionary.resolve(entries, { firstSeenMs: baseMs, owner: 'samples 0' })
  assert.equal(new Set(entries.map(({ seriesId }) => seriesId)).size, 3)
})

test('two processes that meet a new tenant at the same time agree on its id', async () => {
  const { pool } = await createTestDatabase()
  const ids = await Promise.all(Array.from({ length: 8 }, () => new SeriesDictionary(pool).tenantId('brand-new')))
  assert.equal(new Set(ids).size, 1)
})

test('a chunk of ids has series of one partition and tenant, and is filled before the next one', async () => {
  const { pool } = await createTestDatabase()
  const dictionary = new SeriesDictionary(pool)
  const chunksOf = new Map<string, number[]>()
  const add = async (owner: string | undefined, tenantId: string, serverId: string, range: [number, number]) => {
    const entries = entriesOf(many(...range), { tenantId, serverId })
    await dictionary.resolve(entries, { firstSeenMs: baseMs, owner })
    const key = owner === undefined ? serverId : `${owner} ${tenantId}`
    const chunks = entries.map(({ seriesId }) => chunkOf(seriesId as number))
    chunksOf.set(key, [...(chunksOf.get(key) ?? []), ...chunks])
  }
  await Promise.all([
    add('samples 0', 'default', 'a', [0, 40]),
    add('samples 1', 'default', 'b', [0, 40]),
    add('samples 1', 'other', 'b', [0, 10]),
  ])
  await add('samples 0', 'default', 'c', [0, 20])
  await add('samples 0', 'default', 'd', [0, 4])
  await add(undefined, 'default', 'imported', [0, 5])
  const all = [...chunksOf.values()].map((chunks) => [...new Set(chunks)])
  assert.deepEqual(all.map(({ length }) => length).sort(), [1, 1, 2, 2])
  assert.equal(new Set(all.flat()).size, 6)
})

test('ids that a database gives out a second time, because it went back, are not used twice', async () => {
  const { pool } = await createTestDatabase()
  const owner = { firstSeenMs: baseMs, owner: 'samples 0' }
  const [first, second] = [entriesOf(many(0, 40)), entriesOf(many(40, 80))]
  await new SeriesDictionary(pool).resolve(first, owner)
  await pool.query("select setval('series_chunk', 1, false)")
  await new SeriesDictionary(pool).resolve(second, owner)
  assert.equal(new Set([...first, ...second].map(({ seriesId }) => seriesId)).size, 80)
})
