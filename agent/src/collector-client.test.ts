/** Retry-After in both of its forms, bounded; oversized answers. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import { SystemClock } from '@minutely/lib/clock'
import { encodeSampleBatch } from '@minutely/schema/sample-codec'
import { createCollectorClient, parseRetryAfter, RetryableError } from './collector-client.ts'
import { createScriptedCollector } from './scripted-collector.ts'

const nowMs = Date.UTC(2026, 0, 1)

describe('parseRetryAfter', () => {
  it('reads seconds and dates, between 1 s and 5 min', () => {
    assert.equal(parseRetryAfter('7', nowMs), 7000)
    assert.equal(parseRetryAfter('1.5', nowMs), 1500)
    assert.equal(parseRetryAfter(new Date(nowMs + 30_000).toUTCString(), nowMs), 30_000)
    assert.equal(parseRetryAfter('0', nowMs), 1000)
    assert.equal(parseRetryAfter(new Date(nowMs - 30_000).toUTCString(), nowMs), 1000)
    assert.equal(parseRetryAfter('86400', nowMs), 300_000)
    for (const header of [undefined, '', ' ', 'soon']) assert.equal(parseRetryAfter(header, nowMs), undefined)
  })
})

describe('createCollectorClient', () => {
  const body = zstdCompressSync(encodeSampleBatch({ serverId: 'a', sentAtMs: nowMs, blocks: [] }))
  const options = { timeoutMs: 15_000, signal: new AbortController().signal }

  it('does not read an endless answer', async () => {
    const collector = await createScriptedCollector([(response) => response.writeHead(200).end('x'.repeat(300_000))])
    const client = createCollectorClient(collector.url, { clock: new SystemClock() })
    await assert.rejects(client.post(body, options), RetryableError)
    client.close()
    await collector.close()
  })

  it('says which address cannot be reached', async () => {
    const collector = await createScriptedCollector()
    await collector.close()
    const client = createCollectorClient(collector.url, { clock: new SystemClock() })
    await assert.rejects(client.post(body, options), (error: unknown) => {
      assert.ok(error instanceof RetryableError && error.reason === 'network')
      assert.match(error.message, new RegExp(`${collector.url}/v1/samples cannot be reached: .*ECONNREFUSED`))
      return true
    })
    client.close()
  })
})
