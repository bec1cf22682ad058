import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { controlCharacterPattern } from './limits.ts'
import { describeSeries, type SeriesRef, seriesIdentity, seriesKey, sortedLabels } from './series-identity.ts'

const owner = { tenantId: 'default', serverId: 'web-17' }
const text = fc.string({ unit: 'binary', minLength: 1 }).filter((s) => !controlCharacterPattern.test(s))
const labelPairs = fc.uniqueArray(fc.tuple(text, text), { maxLength: 6, selector: ([name]) => name })
const seriesOf = (metricId: string, pairs: [string, string][]): SeriesRef => ({
  metricId,
  labels: Object.assign(Object.create(null), Object.fromEntries(pairs)),
})

test('the order of labels does not matter', () => {
  fc.assert(
    fc.property(
      text,
      labelPairs.chain((pairs) =>
        fc.tuple(fc.constant(pairs), fc.shuffledSubarray(pairs, { minLength: pairs.length })),
      ),
      (metricId, [pairs, shuffled]) => {
        const [one, other] = [seriesOf(metricId, pairs), seriesOf(metricId, shuffled)]
        assert.equal(seriesKey(one), seriesKey(other))
        assert.equal(seriesIdentity(owner, one), seriesIdentity(owner, other))
        assert.equal(describeSeries(one), describeSeries(other))
      },
    ),
  )
})

test('different series have different keys, however their names are cut', () => {
  // Short words of few letters, so that pieces often match across the separators.
  const word = fc.stringMatching(/^[ab.]{1,3}$/)
  const pairs = fc.uniqueArray(fc.tuple(word, word), { maxLength: 3, selector: ([name]) => name })
  const series = fc.tuple(word, word, word, pairs)
  fc.assert(
    fc.property(series, series, (a, b) => {
      const [left, right] = [a, b].map(([tenantId, serverId, metricId, pairs]) => ({
        plain: JSON.stringify([tenantId, serverId, metricId, [...pairs].sort()]),
        identity: seriesIdentity({ tenantId, serverId }, seriesOf(metricId, pairs)),
      }))
      assert.equal(left?.plain === right?.plain, left?.identity === right?.identity)
    }),
    { numRuns: 5_000 },
  )
})

test('a part may not move from one name to the next', () => {
  const keys = [
    seriesOf('a', [['b', 'c']]),
    seriesOf('ab', [['c', '']]),
    seriesOf('a', [['bc', '']]),
    seriesOf('a', [
      ['b', 'c'],
      ['d', ''],
    ]),
    seriesOf('abc', []),
  ].map(seriesKey)
  assert.equal(new Set(keys).size, keys.length)
  assert.notEqual(
    seriesIdentity({ tenantId: 'a', serverId: 'bc' }, seriesOf('x', [])),
    seriesIdentity({ tenantId: 'ab', serverId: 'c' }, seriesOf('x', [])),
  )
})

test('labels sort by UTF-16 code units, in every locale', () => {
  const labels = { ä: '1', z: '2', Z: '3', a: '4', '10': '5', '9': '6', '🙂': '7', '\uffee': '8' }
  assert.deepEqual(
    sortedLabels(labels).map(([name]) => name),
    ['10', '9', 'Z', 'a', 'z', 'ä', '🙂', '\uffee'],
  )
})

test('an identity is the one it always was: rows in databases rely on it', () => {
  assert.equal(
    seriesIdentity(owner, seriesOf('system.cpu.utilization', [['cpu.mode', 'user']])),
    'fb2425f5-52e0-2c50-321c-3d540c22f5a3',
  )
})

test('a series is described the way people write it', () => {
  const labels = { mode: 'user "x"', cpu: '0' }
  assert.equal(describeSeries({ metricId: 'cpu', labels }), 'cpu{cpu="0",mode="user \\"x\\""}')
  assert.equal(describeSeries({ metricId: 'cpu', labels: {} }), 'cpu')
})
