import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { FaultKind } from './fault-kind.ts'
import { distributedKinds, embeddedKinds, listed, only } from './fault-kinds.ts'
import { scheduleOf } from './fault-schedule.ts'

const kind = (name: string, weight = 1, lane: FaultKind<unknown>['lane'] = 'redis'): FaultKind<unknown> => ({
  ...{ name, weight, lane, describes: '' },
  run: async () => true,
})

function first(kinds: readonly FaultKind<unknown>[], plan: { seed: number; count: number }): string[] {
  return scheduleOf(kinds, { lane: 'redis', seed: plan.seed })
    .take(plan.count)
    .map(({ kind: { name }, pauseMs, random }) => `${name} ${pauseMs} ${random.next()}`)
    .toArray()
}

describe('a schedule of faults', () => {
  const kinds = [kind('a'), kind('b', 2), kind('c'), kind('other', 1, 'kafka')]

  test('is the same for the same seed, and another for another', () => {
    assert.deepEqual(first(kinds, { seed: 7, count: 20 }), first(kinds, { seed: 7, count: 20 }))
    assert.notDeepEqual(first(kinds, { seed: 7, count: 20 }), first(kinds, { seed: 8, count: 20 }))
  })

  test('has every kind of its lane, as often as its weight says, before one comes again', () => {
    const names = first(kinds, { seed: 3, count: 12 }).map((line) => line.split(' ')[0])
    for (let bag = 0; bag < 12; bag += 4)
      assert.deepEqual(names.slice(bag, bag + 4).toSorted(), ['a', 'b', 'b', 'c'], `from ${bag}`)
  })

  test('of a lane without kinds is empty', () => {
    assert.deepEqual(scheduleOf(kinds, { lane: 'hosts', seed: 1 }).toArray(), [])
  })
})

test('kinds are chosen by name, and a name of none is said', () => {
  assert.deepEqual(
    only(distributedKinds, ['redis-gone', 'broker-killed']).map(({ name }) => name),
    ['broker-killed', 'redis-gone'],
  )
  assert.equal(only(embeddedKinds, undefined), embeddedKinds)
  assert.throws(() => only(embeddedKinds, ['broker-killed']), /broker-killed: there is no such kind/)
})

test('docs/guarantees.md names every kind, and no other', async () => {
  const text = await readFile(new URL('../../../docs/guarantees.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| \d+ \|/.test(line))
  // The columns before are about products.
  const named = rows.flatMap((row) =>
    [...(row.split('|')[4] ?? '').matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, name]) => name),
  )
  const names = [...distributedKinds, ...embeddedKinds].map(({ name }) => name)
  const missing = names.filter((name) => name !== 'query-api-killed' && !named.includes(name))
  assert.deepEqual(missing, [], 'not in the table')
  assert.deepEqual(
    named.filter((name) => name !== undefined && !names.includes(name)),
    [],
    'no such kinds',
  )
})

test('every kind has a name of its own and says what it does', () => {
  for (const kinds of [distributedKinds, embeddedKinds]) {
    const names = kinds.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
  }
  for (const line of [...listed(distributedKinds).split('\n'), ...listed(embeddedKinds).split('\n')])
    assert.match(line, /^[a-z-]+ +\S.*$/)
})
