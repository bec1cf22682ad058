import assert from 'node:assert/strict'
import { test } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import { CodecError, encodeSeriesList } from '@minutely/schema/sample-codec'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { SeriesSlots } from './series-slots.ts'

const baseMs = Date.UTC(2027, 0, 15, 9)
const hourMs = 60 * minuteMs
const named = (metricId: string, labels: Record<string, string> = {}): SeriesRef => ({ metricId, labels })
const listOf = (...series: SeriesRef[]) => ({
  tenantId: 'default',
  serverId: 'a',
  series: encodeSeriesList(series),
  startMs: baseMs,
})
const never = (): boolean => false

test('equal series have equal slots, whatever the list and its order', () => {
  const slots = new SeriesSlots()
  const first = slots.slotsOf(listOf(named('x'), named('y', { a: '1', b: '2' })))
  assert.deepEqual([...first], [0, 1])
  assert.deepEqual([...slots.slotsOf(listOf(named('y', { b: '2', a: '1' }), named('z'), named('x')))], [1, 2, 0])
  assert.equal(slots.activeCount, 3)
})

test('a list that is equal byte for byte is recognised, also in another buffer and after the first one was reused', () => {
  const slots = new SeriesSlots()
  const list = listOf(named('x'), named('y'))
  const bytes = Buffer.from(list.series)
  const first = slots.slotsOf({ ...list, series: bytes })
  const again = Buffer.from(list.series)
  // The reader's buffer may be used for something else afterwards.
  bytes.fill(0)
  assert.equal(slots.slotsOf({ ...list, series: again }), first)
})

test('more lists than are kept only cost decoding', () => {
  const slots = new SeriesSlots()
  const lists = Array.from({ length: 9 }, (_, index) => listOf(named('shared'), named(`m${index}`)))
  for (let round = 0; round < 3; round++) {
    for (const [index, list] of lists.entries()) assert.deepEqual([...slots.slotsOf(list)], [0, index + 1])
  }
  assert.equal(slots.activeCount, 10)
})

test('the same series twice in a list is one slot', () => {
  const slots = new SeriesSlots()
  assert.deepEqual([...slots.slotsOf(listOf(named('x'), named('x')))], [0, 0])
  assert.equal(slots.takeAdded().length, 1)
})

test('servers and tenants do not share slots', () => {
  const slots = new SeriesSlots()
  const list = listOf(named('x'))
  slots.slotsOf(list)
  slots.slotsOf({ ...list, serverId: 'b' })
  slots.slotsOf({ ...list, tenantId: 'other' })
  assert.equal(slots.activeCount, 3)
  assert.equal(slots.entry(2).server.tenantId, 'other')
})

test('new series are told once', () => {
  const slots = new SeriesSlots()
  slots.slotsOf(listOf(named('x'), named('y')))
  assert.deepEqual(
    slots.takeAdded().map(({ series }) => series.metricId),
    ['x', 'y'],
  )
  slots.slotsOf(listOf(named('y'), named('z')))
  assert.deepEqual(
    slots.takeAdded().map(({ series }) => series.metricId),
    ['z'],
  )
})

test('a slot that was idle for two hours is used again, and no cached list refers to it any more', () => {
  const slots = new SeriesSlots()
  const list = listOf(named('x'), named('y'))
  slots.slotsOf(list)
  slots.entry(1).lastMinuteMs = baseMs + hourMs
  slots.sweep(baseMs + 2 * hourMs - 1, never)
  assert.equal(slots.activeCount, 2)
  slots.sweep(baseMs + 2 * hourMs, never)
  assert.equal(slots.activeCount, 1)
  assert.throws(() => slots.entry(0), /BUG: slot 0 is free/)
  const other = slots.slotsOf({ ...listOf(named('new')), serverId: 'b' })
  assert.deepEqual([...other], [0])
  assert.deepEqual([...slots.slotsOf(list)], [2, 1], 'x came back and got a slot of its own')
  assert.equal(slots.entry(0).server.serverId, 'b')
})

test('a slot that an open minute uses stays', () => {
  const slots = new SeriesSlots()
  slots.slotsOf(listOf(named('x'), named('y')))
  slots.sweep(baseMs + 9 * hourMs, (slot) => slot === 1)
  assert.equal(slots.activeCount, 1)
  assert.equal(slots.entry(1).series.metricId, 'y')
})

test('a server without series leaves nothing behind', () => {
  const slots = new SeriesSlots()
  slots.slotsOf(listOf(named('x')))
  assert.equal(slots.slotsOf({ ...listOf(), serverId: 'empty' }).length, 0)
  assert.equal(slots.server('default', 'empty'), undefined)
  slots.sweep(baseMs + 9 * hourMs, never)
  assert.equal(slots.server('default', 'a'), undefined)
  assert.equal(slots.activeCount, 0)
})

test('an unreadable list and names that cannot be stored are refused, and add nothing', () => {
  const slots = new SeriesSlots()
  const good = listOf(named('x'))
  for (const bad of [
    { ...good, series: Buffer.from([9, 9, 9]) },
    { ...good, serverId: 'nul\u0000' },
    { ...good, serverId: 'a\u0001b' },
    { ...good, tenantId: 'x'.repeat(3_000) },
    listOf(named('x'), named('y\u0000')),
    listOf(named('x', { label: '\u0000' })),
    listOf(named('m'.repeat(3_000))),
  ]) {
    assert.throws(() => slots.slotsOf(bad), CodecError)
  }
  assert.equal(slots.activeCount, 0)
  assert.equal(slots.server('default', 'a'), undefined)
})

test('a name with the separator in it is not taken for another owner that is known', () => {
  const slots = new SeriesSlots()
  const list = listOf(named('x'))
  slots.slotsOf({ ...list, tenantId: 'a', serverId: 'c' })
  assert.throws(() => slots.slotsOf({ ...list, tenantId: 'a\u0001b', serverId: 'c' }), CodecError)
})
