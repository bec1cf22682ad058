import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { storedTable } from '../minute-model.ts'
import { hourAtMs } from '../sealing/test-sealing.ts'
import { csvLines, importInto, type TestPoint, tableOf, victoriaLines, writeHistory } from './test-import.ts'

const points = (name: string, count: number, { fromMs = hourAtMs - 900_000, stepMs = 15_000 } = {}): TestPoint[] =>
  Array.from({ length: count }, (_, index) => ({ name, atMs: fromMs + index * stepMs, value: (index % 97) / 10 }))

describe('an import', () => {
  it('makes minutes of what is in a file, and changes nothing the second time', async () => {
    const { pool } = await createTestDatabase()
    const all = [...points('a', 1_000), ...points('b', 300), ...points('a', 100, { fromMs: hourAtMs + 30_000_000 })]
    const path = writeHistory(victoriaLines(all))
    const { totals } = await importInto(pool, { args: [path] })
    assert.deepEqual(await storedTable(pool), tableOf(all))
    assert.equal(totals.added, 1_400)
    const again = await importInto(pool, { args: ['--again', path] })
    assert.deepEqual(await storedTable(pool), tableOf(all))
    assert.deepEqual([again.totals.added, again.totals.known], [0, 1_400])
    const other = await importInto(pool, { args: [writeHistory(csvLines(all))] })
    assert.deepEqual([other.totals.added, other.totals.known], [0, 1_400])
    assert.deepEqual(await storedTable(pool), tableOf(all))
  })
})
