/** Tables are kept as long as the dictionary counts as many series, for a while, within their bytes. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Table } from './latest-table.ts'
import { LatestTables } from './latest-tables.ts'

const table = (seriesCount: number): Table => ({
  servers: ['a'],
  groups: undefined,
  series: [],
  slotOf: new Map(Array.from({ length: seriesCount }, (_, id) => [id, 0])),
})
const state = { seriesCount: 7, serverStartedAt: 'noon' }
const now = { state, nowMs: 1_000_000 }

it('a table is believed until a series is added, the database starts anew, or it is old', () => {
  const tables = new LatestTables(1e6, { bytes: () => {} })
  const kept = table(3)
  const later: readonly [boolean, typeof now][] = [
    [true, { state, nowMs: now.nowMs + 119_000 }],
    [false, { state, nowMs: now.nowMs + 121_000 }],
    [false, { state, nowMs: now.nowMs - 121_000 }],
    [false, { ...now, state: { ...state, seriesCount: 8 } }],
    [false, { ...now, state: { ...state, serverStartedAt: 'one' } }],
  ]
  for (const [isBelieved, then] of later) {
    tables.put('wall', kept, now)
    assert.equal(tables.get('wall', then), isBelieved ? kept : undefined)
  }
  assert.equal(tables.get('other', now), undefined)
})

it('those that were not asked for longest go first, and what is held is told', () => {
  let held = 0
  const tables = new LatestTables(5_000, {
    bytes: (bytes) => {
      held = bytes
    },
  })
  for (const key of ['a', 'b']) tables.put(key, table(9), now)
  assert.ok(tables.get('a', now) !== undefined)
  tables.put('c', table(9), now)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => tables.get(key, now) !== undefined),
    [true, false, true],
  )
  assert.equal(held, 4_000)
  tables.put('huge', table(1_000), now)
  assert.equal(held, 0)
})
