import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeSeriesList } from '@minutely/schema/sample-codec'
import { batchSeconds, keyOf, loadHost, metricIds, sectionsOf, seriesOf } from './topics-load.ts'

const shapes = [
  { hostCount: 30, seriesPerHost: 20, metricCount: 4 },
  { hostCount: 30, seriesPerHost: 20, metricCount: 20 },
  { hostCount: 30, seriesPerHost: 20, metricCount: 200 },
]
const byMetric = (metricId: string) => ({ topic: metricId, partition: Number(metricId.at(-1)) % 2 })

for (const shape of shapes) {
  test(`${shape.metricCount} metrics: as many different series a host as in every other case, and no metric without any`, () => {
    const all = Array.from({ length: shape.hostCount }, (_, host) => seriesOf(host, shape))
    for (const series of all) {
      const names = new Set(series.map(({ metricId, labels }) => `${metricId} ${JSON.stringify(labels)}`))
      assert.equal(names.size, shape.seriesPerHost)
    }
    assert.deepEqual(new Set(all.flat().map(({ metricId }) => metricId)), new Set(metricIds(shape)))
  })

  test(`${shape.metricCount} metrics: the sections of a host have each of its series once, with its values`, () => {
    const host = loadHost(7, shape, ({ metricId }) => byMetric(metricId))
    const sections = sectionsOf(host, 60_000)
    assert.equal(new Set(sections.map(({ partition }) => keyOf(partition))).size, sections.length)
    const series = seriesOf(7, shape)
    const found = sections.flatMap(({ partition, section }) =>
      decodeSeriesList(section.series).map((ref, row) => {
        assert.deepEqual(byMetric(ref.metricId), partition)
        return { ref, values: section.values.slice(row * 8 * batchSeconds, (row + 1) * 8 * batchSeconds) }
      }),
    )
    assert.equal(found.length, shape.seriesPerHost)
    for (const { ref, values } of found) {
      const row = series.findIndex((one) => JSON.stringify(one) === JSON.stringify(ref))
      assert.ok(host.values.subarray(row * 8 * batchSeconds, (row + 1) * 8 * batchSeconds).equals(values))
    }
  })
}
