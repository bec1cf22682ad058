import assert from 'node:assert/strict'
import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readBodies, writeBodyFile } from './body-file.ts'

const count = 50

/** 13 MB in all: read in two pieces. */
function body(index: number): Buffer {
  return Buffer.alloc(250_000 + index * 1_000 + (index === 7 ? 0 : 1), index)
}

describe('a file of bodies', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'minutely-bodies-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  for (const fromIndex of [0, 1, 33, 49, 50]) {
    test(`gives back what was written, from ${fromIndex} on`, async () => {
      const file = writeBodyFile(join(folder, 'bodies'), { count, body })
      let index = fromIndex
      for await (const bytes of readBodies(file, fromIndex)) assert.ok(bytes.equals(body(index++)))
      assert.equal(index, count)
    })
  }

  test('that was cut short is an error, not an endless wait', async () => {
    const file = writeBodyFile(join(folder, 'short'), { count, body })
    await truncate(file.path, 1_000_000)
    await assert.rejects(async () => {
      for await (const bytes of readBodies(file)) assert.ok(bytes.length > 0)
    }, /1000000 of \d+ bytes at 0/)
  })
})
