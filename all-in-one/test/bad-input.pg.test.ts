/**
 * Bad input against the whole process: the documented error, the good samples beside it kept and stored, and memory within
 * 64 MiB of before. Each body is sent alone; the peak is the kernel's own (VmHWM, reset before each).
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { SamplesAnswer } from '@minutely/schema/sample-wire'
import { awaitMinutes } from './await-minutes.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import { SampleModel } from './sample-model.ts'

const memoryBytesMax = 64 * 1_048_576
const minuteMs = 60_000
const json = { 'content-type': 'application/json' }
const tsMs = Math.floor(Date.now() / 1_000) * 1_000 - 5 * minuteMs
const good = (serverId: string, second = 0) => ({ serverId, metricId: 'good', value: 1.25, ts: tsMs + second * 1_000 })
const rows = (...samples: unknown[]): string => JSON.stringify({ samples })

interface BadInput {
  readonly name: string
  readonly headers: Record<string, string>
  readonly body: string | Buffer
  /** Error id, or undefined when part of it is accepted. */
  readonly error?: string
  readonly status: number
  /** Reason and count of what is refused beside the good sample. */
  readonly rejected?: readonly [reason: string, count: number]
}

/** The good sample of each case has the case's index as its server. */
const cases: readonly BadInput[] = [
  { name: 'truncated JSON', headers: json, body: rows(good('x')).slice(0, -7), status: 400, error: 'body-unreadable' },
  {
    name: 'the literal NaN',
    headers: json,
    body: '{"samples":[{"serverId":"a","metricId":"m","value":NaN,"ts":1}]}',
    status: 400,
    error: 'body-unreadable',
  },
  {
    name: 'an unknown encoding',
    headers: { ...json, 'content-encoding': 'br' },
    body: rows(good('x')),
    status: 415,
    error: 'content-encoding-unsupported',
  },
  {
    name: 'an unknown type',
    headers: { 'content-type': 'text/plain' },
    body: 'cpu 1',
    status: 415,
    error: 'content-type-unsupported',
  },
  {
    name: 'gzip that is none',
    headers: { ...json, 'content-encoding': 'gzip' },
    body: 'not gzip',
    status: 400,
    error: 'body-not-decompressible',
  },
  {
    name: '9 MiB decoded',
    headers: { ...json, 'content-encoding': 'gzip' },
    body: gzipSync(Buffer.alloc(9 * 1_048_576, ' ')),
    status: 413,
    error: 'body-too-large',
  },
  {
    name: 'gzip that inflates to 1 GB',
    headers: { ...json, 'content-encoding': 'gzip' },
    body: bomb('gzip'),
    status: 413,
    error: 'body-too-large',
  },
  {
    name: 'zstd that inflates to 1 GB',
    headers: { ...json, 'content-encoding': 'zstd' },
    body: bomb('zstd'),
    status: 413,
    error: 'body-too-large',
  },
  { name: 'deep JSON', headers: json, body: '['.repeat(1_000_000), status: 400, error: 'body-unreadable' },
  {
    name: 'wrong types',
    headers: json,
    body: rows(good('case-9'), { ...good('case-9', 1), value: '1' }),
    status: 202,
    rejected: ['value-not-a-number', 1],
  },
  {
    name: '1e999',
    headers: json,
    body: rows(good('case-10'), 'BAD').replace(
      '"BAD"',
      '{"serverId":"case-10","metricId":"m","value":1e999,"ts":1}'.replace('"ts":1', `"ts":${tsMs}`),
    ),
    status: 202,
    rejected: ['value-not-finite', 1],
  },
  {
    name: '__proto__ keys',
    headers: json,
    body: rows(good('case-11'), 'BAD').replace(
      '"BAD"',
      `{"serverId":"case-11","metricId":"m","labels":{"__proto__":"x"},"__proto__":{"a":1},"value":1,"ts":${tsMs}}`,
    ),
    status: 202,
    rejected: ['labels-invalid', 1],
  },
  {
    name: 'timestamps an hour ahead',
    headers: json,
    body: rows(good('case-12'), { ...good('case-12'), ts: Date.now() + 3_600_000 }),
    status: 202,
    rejected: ['time-in-future', 1],
  },
  {
    name: 'nothing acceptable',
    headers: json,
    body: rows({ ...good('x'), metricId: 'no spaces' }),
    status: 422,
    error: 'nothing-acceptable',
  },
]

function bomb(kind: 'gzip' | 'zstd'): Buffer {
  const gigabyte = Buffer.alloc(1_073_741_824)
  if (kind === 'zstd') return zstdCompressSync(gigabyte)
  return gzipSync(gigabyte, { level: 9 })
}

describe('bad input', () => {
  let child: EmbeddedChild
  const model = new SampleModel()
  before(async () => {
    child = await startChild(await temporaryFolder(), { MINUTELY_LATE_HOLD_MS: '200' })
    // What any process needs once: compiled code, buffers, connections.
    for (let round = 0; round < 20; round++) {
      await post(child, {
        headers: { ...json, 'content-encoding': 'gzip' },
        body: gzipSync(rows(...Array.from({ length: 2_000 }, (_, second) => good('warm', second % 60)))),
      })
    }
    for (let second = 0; second < 60; second++) model.add({ ...good('warm', second), labels: {} })
  })
  after(() => child.stop())

  for (const [index, { name, headers, body, status, error, rejected }] of cases.entries()) {
    test(name, async () => {
      const beforeBytes = memoryOf(child.pid, 'VmRSS')
      writeFileSync(`/proc/${child.pid}/clear_refs`, '5')
      const answer = await post(child, { headers, body })
      const peakBytes = memoryOf(child.pid, 'VmHWM') - beforeBytes
      assert.equal(answer.status, status, JSON.stringify(answer.json))
      if (error !== undefined) {
        assert.equal((answer.json as { error: string }).error, error)
        assert.ok((answer.json as { message: string }).message.length > 20)
      }
      if (rejected !== undefined) {
        const { accepted, rejected: found } = answer.json as SamplesAnswer
        assert.equal(accepted, 1)
        assert.deepEqual(
          found.map(({ reason, count }) => [reason, count]),
          [rejected],
        )
        model.add({ ...good(`case-${index}`), labels: {} })
      }
      assert.ok(peakBytes <= memoryBytesMax, `memory rose by ${(peakBytes / 1_048_576).toFixed(1)} MiB`)
    })
  }

  test('the good samples beside the bad are stored', async () => {
    const range = {
      fromMs: Math.floor(tsMs / minuteMs) * minuteMs,
      toMs: Math.floor(tsMs / minuteMs) * minuteMs + 2 * minuteMs,
    }
    assert.deepEqual(await awaitMinutes(child.url, model, range), [])
  })
})

async function post(
  child: EmbeddedChild,
  request: { headers: Record<string, string>; body: string | Buffer },
): Promise<{ status: number; json: unknown }> {
  const body = typeof request.body === 'string' ? request.body : new Uint8Array(request.body)
  const answer = await fetch(`${child.url}/v1/samples`, { method: 'POST', headers: request.headers, body })
  return { status: answer.status, json: await answer.json() }
}

function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) * 1_024
}
