/**
 * What every HostReader promises, as a suite that each implementation runs (host-reader-contract.test.ts). It reads the
 * machine the tests run on, with a monotonic time of its own, so it neither sleeps nor depends on the machine's load.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { labels, metricId } from '@minutely/schema/sample-wire'
import { seriesKey, sortedLabels } from '@minutely/schema/series-identity'
import type { HostReader, HostSample } from '../host-metrics.ts'
import { type HostMetric, hostMetrics } from './host-metric-catalogue.ts'

export interface ReaderUnderTest {
  readonly reader: HostReader
  /** Moves the reader's monotonic time. */
  readonly advance: (ms: number) => void
}

export function hostReaderContract(name: string, create: () => ReaderUnderTest): void {
  describe(`host reader contract: ${name}`, () => {
    it('emits catalogued metrics with their labels, each series once, values as short decimals', async () => {
      for (const samples of await readings(create())) {
        const keys = samples.map(({ series }) => seriesKey(series))
        assert.equal(new Set(keys).size, keys.length, 'a series appears twice')
        for (const sample of samples) checkSample(sample)
      }
    })

    it('gives levels at once and rates from the second reading on', async () => {
      const [first = [], second = []] = await readings(create())
      assert.ok(first.length > 0)
      assert.ok(first.every(({ series }) => !catalogued(series.metricId).rate))
      assert.ok(!first.some(({ series }) => series.metricId === 'system.cpu.utilization'))
      const utilization = second.filter(({ series }) => series.metricId === 'system.cpu.utilization')
      // The counters of an idle, just started machine may stand still between two readings without a pause.
      const sum = utilization.reduce((total, { value }) => total + value, 0)
      assert.ok(utilization.length === 0 || Math.abs(sum - 1) < 0.001, `modes add up to ${sum}`)
    })

    it('knows memory, filesystems and the number of cores', async () => {
      const ids = new Set((await readings(create())).flat().map(({ series }) => series.metricId))
      for (const expected of [
        'system.cpu.logical.count',
        'system.memory.usage',
        'system.memory.utilization',
        'system.network.io',
        'system.filesystem.utilization',
        'system.uptime',
      ]) {
        assert.ok(ids.has(expected), `${expected} is missing`)
      }
    })

    it('gives no rate over a reading that is missing', async () => {
      const { reader, advance } = create()
      await reader.read()
      await reader.settled()
      advance(3_600_000)
      const samples = await reader.read()
      await reader.settled()
      reader.close()
      assert.ok(!samples.some(({ series }) => series.metricId === 'system.cpu.utilization'))
      assert.ok(samples.every(({ series }) => !catalogued(series.metricId).rate))
    })
  })
}

/** Eight readings 1 s apart by the reader's time; what runs in the background ends between them. */
async function readings({ reader, advance }: ReaderUnderTest): Promise<HostSample[][]> {
  const found: HostSample[][] = []
  for (let second = 0; second < 8; second += 1) {
    found.push(await reader.read())
    await reader.settled()
    advance(1000)
  }
  reader.close()
  return found
}

function catalogued(id: string): HostMetric {
  const found = Object.entries<HostMetric>(hostMetrics).find(([known]) => known === id)
  assert.ok(found, `${id} is not in the catalogue`)
  return found[1]
}

function checkSample({ series, value }: HostSample): void {
  const { digits, labels: names = [], rate, unit } = catalogued(series.metricId)
  metricId.parse(series.metricId)
  labels.parse(series.labels)
  assert.deepEqual(
    sortedLabels(series.labels).map(([label]) => label),
    [...names].sort(),
  )
  assert.ok(Number.isFinite(value) && value >= 0, `${series.metricId} is ${value}`)
  assert.equal(Number(value.toFixed(digits)), value, `${series.metricId} = ${value} has more than ${digits} digits`)
  if (unit === '1') assert.ok(value <= 1, `${series.metricId} = ${value} is a ratio above 1`)
  if (rate) assert.match(unit, /\/s$|^1$/)
}
