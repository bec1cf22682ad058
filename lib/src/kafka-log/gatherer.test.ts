import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gatherer } from './gatherer.ts'

test('what is asked in one turn, and what is asked meanwhile, goes together', async () => {
  const asked: string[][] = []
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const gatherer = new Gatherer<number, number>(async (values) => {
    asked.push([...values.keys()])
    await gates[asked.length - 1]?.promise
    return new Map([...values].map(([key, value]) => [key, () => value * 2]))
  })
  const first = [gatherer.ask('a', 1), gatherer.ask('b', 2)]
  await Promise.resolve()
  const second = [gatherer.ask('c', 3), gatherer.ask('c', 4), gatherer.ask('a', 5)]
  gates[0]?.resolve()
  assert.deepEqual(await Promise.all(first), [2, 4])
  gates[1]?.resolve()
  assert.deepEqual(await Promise.all(second), [8, 8, 10])
  assert.deepEqual(asked, [
    ['a', 'b'],
    ['c', 'a'],
  ])
})

test('one answer may fail without the others, and a failed request does not end the service', async () => {
  let calls = 0
  const gatherer = new Gatherer<string, string>(async (values) => {
    if (calls++ === 0) throw new Error('no broker')
    return new Map([...values.keys()].filter((key) => key !== 'lost').map((key) => [key, () => answer(key)]))
  })
  await assert.rejects(gatherer.ask('a', ''), /no broker/)
  const outcomes = await Promise.allSettled(['good', 'bad', 'lost'].map((key) => gatherer.ask(key, '')))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
})

function answer(key: string): string {
  if (key === 'bad') throw new Error('bad')
  return key
}
