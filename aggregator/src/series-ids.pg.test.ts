/** Ids by chunk: each once, whoever asks at the same time, and whoever forgets meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { chunkOf, seriesPerChunk } from '@minutely/schema/minute-block/minute-block'
import { SeriesIds } from './series-ids.ts'

const times = (count: number, owner: string): string[] => Array<string>(count).fill(owner)

test('ids taken at the same time, by one owner and by others, are different ones, of chunks that were given out', async () => {
  const { pool } = await createTestDatabase()
  const ids = new SeriesIds(pool)
  await ids.take(times(seriesPerChunk - 1, 'a'))
  const taken = (await Promise.all([1, 40, 1, 7].map((count, n) => ids.take(times(count, n < 3 ? 'a' : 'b'))))).flat()
  assert.equal(new Set(taken).size, 49)
  assert.ok(Math.min(...taken) >= seriesPerChunk, 'the first chunk that is given out is 1')
})

test('forgetting while ids are on their way gives none of another chunk', async () => {
  const { pool } = await createTestDatabase()
  const ids = new SeriesIds(pool)
  const [first = 0] = await ids.take(['a'])
  const taking = ids.take(times(3, 'a'))
  ids.forget()
  const taken = await taking
  assert.equal(new Set([first, ...taken]).size, 4)
  const { rows } = await pool.query<{ given: number }>('select last_value::integer as given from series_chunk')
  for (const id of taken) assert.ok(chunkOf(id) >= 1 && chunkOf(id) <= (rows[0]?.given ?? 0), `id ${id}`)
})
