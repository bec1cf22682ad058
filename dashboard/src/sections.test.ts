/** No metric is lost or shown twice, whatever its name; the known ones are where one looks for them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { batchesOf, groupSeries, type Metric, matchesFilter, matchesGlob, sectionsOf } from './sections.ts'

const entry = (metricId: string, labels: Record<string, string> = {}) => ({
  metricId,
  labels,
  firstSeenMs: 1,
  lastSeenMs: 2,
})
const metric = (metricId: string): Metric => ({ metricId, labelSets: [{}], lastSeenMs: 2 })

test('host metrics go by topic, others by application', () => {
  const sectionFor = (id: string) => sectionsOf([metric(id)])[0]?.title
  assert.equal(sectionFor('system.cpu.utilization'), 'CPU')
  assert.equal(sectionFor('system.cpu.load_average.1m'), 'CPU')
  assert.equal(sectionFor('system.memory.usage'), 'Memory')
  assert.equal(sectionFor('system.paging.utilization'), 'Memory')
  assert.equal(sectionFor('system.filesystem.usage'), 'Disk')
  assert.equal(sectionFor('system.disk.io'), 'Disk')
  assert.equal(sectionFor('system.network.io'), 'Network')
  assert.equal(sectionFor('system.pressure.memory'), 'Pressure')
  assert.equal(sectionFor('system.processes.count'), 'Processes')
  assert.equal(sectionFor('system.file_descriptor.count'), 'Processes')
  assert.equal(sectionFor('process.memory.usage'), 'Processes')
  assert.equal(sectionFor('system.uptime'), 'Other host metrics')
  assert.equal(sectionFor('jvm.memory.used'), 'Application: jvm')
  assert.equal(sectionFor('http_requests_total'), 'Application: http')
  assert.equal(sectionFor('q'), 'Other')
  assert.equal(sectionFor('_private'), 'Other')
})

test('sections come in a fixed order, the telling metric first', () => {
  const ids = ['q', 'zoo.a', 'system.network.io', 'system.cpu.time', 'app.b', 'system.cpu.utilization', 'system.uptime']
  const sections = sectionsOf(ids.map(metric))
  assert.deepEqual(
    sections.map(({ id }) => id),
    ['cpu', 'network', 'system', 'app-app', 'app-zoo', 'app-'],
  )
  assert.deepEqual(
    sections[0]?.metrics.map(({ metricId }) => metricId),
    ['system.cpu.utilization', 'system.cpu.time'],
  )
})

test('every metric is in exactly one section and one batch', () => {
  const id = fc.stringMatching(/^(system\.|process_|)[a-z_]{1,8}[a-z._/]{0,8}$/)
  fc.assert(
    fc.property(fc.array(fc.tuple(id, fc.integer({ min: 0, max: 200 })), { maxLength: 60 }), (drawn) => {
      const entries = drawn.flatMap(([name, count]) =>
        Array.from({ length: count + 1 }, (_, index) => entry(name, { index: String(index) })),
      )
      const batches = sectionsOf(groupSeries(entries)).flatMap(({ metrics }) => batchesOf(metrics))
      const shown = batches.flat().map(({ metricId }) => metricId)
      assert.deepEqual(shown.toSorted(), [...new Set(drawn.map(([name]) => name))].toSorted())
      for (const batch of batches) {
        const series = batch.reduce((sum, { labelSets }) => sum + labelSets.length, 0)
        assert.ok(batch.length <= 12 && (series <= 96 || batch.length === 1))
      }
    }),
  )
})

test('a filter looks for every word in id and labels', () => {
  const [io] = groupSeries([entry('system.network.io', { 'network.interface.name': 'eth0' })])
  assert.ok(io !== undefined && matchesFilter(io, ' ETH0  net') && matchesFilter(io, ''))
  assert.ok(!matchesFilter(io, 'eth0 disk'))
})

test('a word with a star is a glob over the whole id, or the whole value of a label', () => {
  const [io] = groupSeries([entry('system.network.io', { 'network.interface.name': 'eth0' })])
  assert.ok(io !== undefined)
  for (const filter of ['system.*', 'System.*.IO', '*', '*network*', 'eth*', 'system.* eth0'])
    assert.ok(matchesFilter(io, filter), filter)
  for (const filter of ['network.*', 'system.cpu.*', '*.network', 'system.* eth1', '*.*.*.*'])
    assert.ok(!matchesFilter(io, filter), filter)
})

test('a glob means what the regular expression with .* in place of its stars means', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 })
  fc.assert(
    fc.property(glob, text, (pattern, id) => {
      const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
      assert.equal(matchesGlob(pattern, id), expression.test(id))
    }),
  )
})
