import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isOwnTopic, isSampleTopic, metricOf, ownTopic, sharedTopic, stableHash } from './topic-names.ts'

const prefix = 'minutely'
const metric = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: fc.constantFrom(...'a._-5f%') }),
)

test('a topic names its metric, and only that one, also in the eyes of Kafka (property)', () => {
  fc.assert(
    fc.property(metric, metric, (one, other) => {
      const [a, b] = [ownTopic(prefix, one), ownTopic(prefix, other)]
      fc.pre(a !== undefined && b !== undefined)
      assert.match(a, /^[a-zA-Z0-9._-]{1,249}$/)
      assert.equal(metricOf(prefix, a), Buffer.from(one).toString())
      // Kafka refuses a name that differs from another one only in dots and underscores.
      assert.equal(a.replaceAll('.', '_') === b.replaceAll('.', '_') && a !== b, false)
      assert.equal(a === b, Buffer.from(one).equals(Buffer.from(other)))
    }),
    { numRuns: 2_000 },
  )
})

test('usual names stay readable', () => {
  assert.equal(ownTopic(prefix, 'system.cpu.utilization'), 'minutely.samples.system.cpu.utilization')
  assert.equal(ownTopic(prefix, 'disk_reads-total'), 'minutely.samples.disk-5freads-2dtotal')
})

test('a name that is too long for Kafka has no topic of its own', () => {
  assert.equal(ownTopic(prefix, 'm'.repeat(232))?.length, 249)
  assert.equal(ownTopic(prefix, 'm'.repeat(233)), undefined)
})

test('shared topics are as many as asked for, of one length, and no own topics', () => {
  const topics = new Set(Array.from({ length: 5_000 }, (_, index) => sharedTopic(prefix, `metric.${index}`, 64)))
  assert.equal(topics.size, 64)
  for (const topic of topics) {
    assert.match(topic, /^minutely\.shared\.\d\d$/)
    assert.equal(isOwnTopic(prefix, topic), false)
    assert.equal(isSampleTopic(prefix, topic), true)
  }
})

test('the hash is what it was, and spreads servers over few partitions', () => {
  assert.deepEqual(
    ['', 'default\u0001web-1', 'system.cpu.utilization'].map(stableHash),
    [2872998923, 1507019424, 1148294963],
  )
  const counts = [0, 0, 0, 0]
  for (let server = 0; server < 10_000; server++) {
    const partition = stableHash(`default\u0001web-${server}`) % 4
    counts[partition] = (counts[partition] ?? 0) + 1
  }
  for (const count of counts) assert.ok(Math.abs(count - 2_500) < 250, counts.join(' '))
})
