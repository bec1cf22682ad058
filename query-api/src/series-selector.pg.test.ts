/** The selector's two forms, SQL and JavaScript, choose the same series. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { findSeries } from './dictionary.ts'
import { matchesSelector } from './series-selector.ts'
import { createTestApi, insertSeries } from './test-api.ts'

it('SQL and JavaScript choose the same series', async () => {
  const { pool, reader } = await createTestApi()
  const metricIds = ['a', 'ab', 'a.b', 'a_b', 'axb', 'A.b', 'b:a/b']
  const labelSets = [{}, { x: '1' }, { x: '2', 'y.z': '1' }, { x: "'" }, { x: '%' }, { x: '1_2' }, { x: '12\\' }]
  for (const metricId of metricIds) {
    for (const labels of labelSets) await insertSeries(pool, { serverId: 's', metricId, labels }, [])
  }
  const client = await reader.connect()
  const { series: everything } = await findSeries(client, {
    selector: { metricGlobs: [], labelFilters: new Map() },
    limit: 1000,
  })
  assert.equal(everything.length, metricIds.length * labelSets.length)
  const globs = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'b', '*', '.', '_', ':'), minLength: 1, maxLength: 5 }),
    { maxLength: 3 },
  )
  const part = fc.string({ unit: fc.constantFrom('1', '2', "'", '%', '_', '\\'), maxLength: 2 })
  const patterns = fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 2 })
  const filter = fc.record({ accepted: patterns, refused: patterns })
  const filters = fc.array(fc.tuple(fc.constantFrom('x', 'y.z', 'toString'), filter), { maxLength: 2 })
  await fc.assert(
    fc.asyncProperty(globs, filters, async (metricGlobs, pairs) => {
      const selector = { metricGlobs, labelFilters: new Map(pairs) }
      const expected = everything.filter((series) => matchesSelector(selector, series))
      const found = await findSeries(client, { serverId: 's', selector, limit: 1000 })
      assert.deepEqual(found.series, expected)
    }),
    { numRuns: 300 },
  )
  client.release()
})
