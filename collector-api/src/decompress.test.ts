/** Decompression within bounds, below and above the size that goes to the thread pool. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { ByteBudget } from './byte-budget.ts'
import { contentEncoding, decompress } from './decompress.ts'

const mebibyte = 1_048_576
const budget = new ByteBudget(64 * mebibyte)

async function run(body: Buffer, encoding: 'gzip' | 'zstd' | 'identity', within = budget): Promise<Buffer> {
  const lease = within.open()
  try {
    return await decompress(body, encoding, {
      decodedBytesMax: 8 * mebibyte,
      decodedRatioMax: 50,
      lease,
      random: () => 0,
    })
  } finally {
    lease.close()
    assert.equal(within.bytesUsed, 0)
  }
}

const compressors = { gzip: (body: Buffer) => gzipSync(body), zstd: (body: Buffer) => zstdCompressSync(body) }
const encodings = ['gzip', 'zstd'] as const

test('small and large bodies come out as they went in', async () => {
  for (const encoding of encodings) {
    for (const size of [0, 1, 10_000, 100_000, 900_000]) {
      const body = randomBytes(size)
      assert.deepEqual(await run(compressors[encoding](body), encoding), body)
    }
  }
  assert.deepEqual(await run(Buffer.from('x'), 'identity'), Buffer.from('x'))
})

test('1 MiB of constant data passes whatever its ratio, more does not', async () => {
  for (const encoding of encodings) {
    assert.equal((await run(compressors[encoding](Buffer.alloc(mebibyte)), encoding)).length, mebibyte)
    await assert.rejects(run(compressors[encoding](Buffer.alloc(mebibyte + 1)), encoding), { id: 'body-too-large' })
  }
})

test('more than 8 MiB decoded is refused, at any ratio', async () => {
  const dense = Buffer.from(randomBytes(4.6 * mebibyte).toString('hex'))
  for (const encoding of encodings) {
    await assert.rejects(run(compressors[encoding](dense), encoding), { id: 'body-too-large', status: 413 })
    assert.equal((await run(compressors[encoding](dense.subarray(0, 8 * mebibyte)), encoding)).length, 8 * mebibyte)
  }
  await assert.rejects(run(dense, 'identity'), { id: 'body-too-large' })
})

test('bytes that are not what the header says', async () => {
  for (const encoding of encodings) {
    for (const body of [Buffer.alloc(0), Buffer.from('{}'), randomBytes(100_000)]) {
      await assert.rejects(run(body, encoding), { id: 'body-not-decompressible', status: 400 })
    }
    for (const size of [1000, 200_000]) {
      const whole = compressors[encoding](randomBytes(size))
      await assert.rejects(run(whole.subarray(0, whole.length - 10), encoding), { id: 'body-not-decompressible' })
    }
  }
})

test('a zstd frame that asks for a window above 8 MiB is refused', async () => {
  const params = {
    [constants.ZSTD_c_windowLog]: 27,
    [constants.ZSTD_c_contentSizeFlag]: 0,
    [constants.ZSTD_c_enableLongDistanceMatching]: 1,
  }
  const frame = zstdCompressSync(Buffer.alloc(1000), { params })
  // Byte 4 describes the frame, byte 5 its window; a single segment would have none.
  frame[4] = (frame[4] as number) & ~0x20
  const windowed = Buffer.concat([frame.subarray(0, 5), Buffer.from([(27 - 10) << 3]), frame.subarray(5)])
  await assert.rejects(run(windowed, 'zstd'), { id: 'body-not-decompressible' })
})

test('the budget of all requests together is kept', async () => {
  const small = new ByteBudget(mebibyte)
  for (const size of [10, 300_000]) {
    const body = Buffer.concat([gzipSync(randomBytes(size)), gzipSync(Buffer.alloc(mebibyte))])
    await assert.rejects(run(body, 'gzip', small), (error: { id: string }) =>
      ['overloaded', 'body-too-large'].includes(error.id),
    )
  }
  await assert.rejects(run(gzipSync(randomBytes(mebibyte + 1)), 'gzip', small), {
    id: 'overloaded',
    status: 503,
    retryAfterS: 1,
  })
})

test('encodings', () => {
  assert.equal(contentEncoding(undefined), 'identity')
  assert.equal(contentEncoding(' GZIP '), 'gzip')
  for (const header of ['br', 'gzip, gzip', 'gzip,zstd', 'deflate', 'x'.repeat(10_000)]) {
    assert.throws(() => contentEncoding(header), { id: 'content-encoding-unsupported', status: 415 })
  }
})
