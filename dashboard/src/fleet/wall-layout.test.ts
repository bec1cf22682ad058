/** The wall's layout: everything fits, every cell has its own place, and is found there again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FleetRow } from './fleet-rows.ts'
import { cellAt, groupRows, headText, layoutWall, nearestCell, neighbourOf, placeOf } from './wall-layout.ts'

const row = (serverId: string, group: string | null = null): FleetRow => ({
  server: { serverId, firstSeenMs: 0, lastSeenMs: 0, seriesCount: 1 },
  value: null,
  group,
  isSilent: false,
})

test('all cells lie within the wall, apart from each other, and are found where they are (property)', () => {
  const groups = fc.array(
    fc.record({ name: fc.constantFrom('web', 'a-rather-long-name'), count: fc.integer({ min: 1, max: 400 }) }),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  fc.assert(
    fc.property(
      groups,
      fc.integer({ min: 300, max: 1600 }),
      fc.integer({ min: 250, max: 1000 }),
      (given, width, height) => {
        const layout = layoutWall(given, { width, height })
        assert.ok(layout.width <= width && layout.height <= height, `${layout.width} x ${layout.height}`)
        const seen = new Set<string>()
        for (let number = 0; number < layout.count; number++) {
          const at = placeOf(layout, number)
          assert.ok(at !== undefined)
          seen.add(`${at.x} ${at.y}`)
          const middle = [at.x + layout.cell / 2, at.y + layout.cell / 2] as const
          assert.equal(cellAt(layout, ...middle), number)
          assert.equal(nearestCell(layout, ...middle), number)
        }
        assert.equal(seen.size, layout.count)
      },
    ),
    { numRuns: 40 },
  )
})

test('10,000 servers have cells of some px', () => {
  const { cell } = layoutWall([{ name: null, count: 10_000 }], { width: 860, height: 640 })
  assert.ok(cell >= 7, String(cell))
})

test('on a phone cells are worth more than the names of many groups', () => {
  const groups = Array.from({ length: 25 }, (_, index) => ({ name: `worker-${index}`, count: 12 }))
  const phone = layoutWall(groups, { width: 350, height: 215 })
  assert.ok(phone.cell >= 14, String(phone.cell))
  assert.deepEqual(
    phone.blocks.map(({ name, count }) => ({ name, count })),
    [{ name: null, count: 300 }],
  )
  const { blocks, cell } = layoutWall(groups, { width: 860, height: 540 })
  assert.equal(blocks.length, groups.length)
  const isApart = blocks.every((block, index) => {
    const next = blocks[index + 1]
    return next === undefined || next.y !== block.y || next.x - block.x >= headText(block).length * 7
  })
  assert.ok(isApart, `names of blocks of cells of ${cell} px overlap`)
})

test('the cursor goes to neighbours, into other blocks, and stays at the ends', () => {
  const layout = layoutWall(
    [
      { name: 'a', count: 4 },
      { name: 'b', count: 4 },
    ],
    { width: 600, height: 300 },
  )
  assert.equal(neighbourOf(layout, 0, { dx: 1, dy: 0 }), 1)
  const [first] = layout.blocks
  const end = (first?.columns ?? 0) - 1
  assert.equal(neighbourOf(layout, end, { dx: 1, dy: 0 }), 4)
  assert.equal(neighbourOf(layout, 0, { dx: -1, dy: 0 }), 0)
  assert.equal(neighbourOf(layout, 0, { dx: 0, dy: -1 }), 0)
})

test('groups are by label, or by what stands before the number', () => {
  const byName = groupRows(
    ['web-1', 'web-2', 'web-3', 'db-1', 'db-2', 'db-3'].map((id) => row(id)),
    false,
  )
  assert.deepEqual(byName.groups, [
    { name: 'db', count: 3 },
    { name: 'web', count: 3 },
  ])
  assert.equal(byName.rows[0]?.server.serverId, 'db-1')
  const byLabel = groupRows([row('x', 'us'), row('y', 'eu'), row('z')], true)
  assert.deepEqual(
    byLabel.groups.map(({ name }) => name),
    ['eu', 'us', 'other'],
  )
})

test('names that have nothing in common are one group', () => {
  const { groups } = groupRows(
    ['oak', 'elm', 'ash7', 'fir9'].map((id) => row(id)),
    false,
  )
  assert.deepEqual(groups, [{ name: null, count: 4 }])
})
