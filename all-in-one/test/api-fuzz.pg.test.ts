/**
 * The whole process under requests made from its own OpenAPI document (fuzz-requests.ts), a few at a time: no answer is a 5xx, each is
 * documented and of its documented shape (fuzz-check.ts), and afterwards the process is well and ends in order. A failure
 * prints its seed, and the requests that are left after shrinking. `npm run fuzz:api -- --requests 20000 --seed 1` runs it for longer.
 */
import assert from 'node:assert/strict'
import { Agent, request as httpRequest } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import { AnswerCheck, type FuzzAnswer } from './fuzz-check.ts'
import { type ApiDocument, type FuzzRequest, fuzzRequests, type SeenValues } from './fuzz-requests.ts'
import type { Sample } from './sample-model.ts'
import { requestsOf, send } from './send-samples.ts'

const requestCount = Number(process.env['MINUTELY_TEST_REQUESTS'] ?? 2000)
const seed = Number(process.env['MINUTELY_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const atOnce = 8
const minuteMs = 60_000

/** Two hours, until a few minutes ago. */
function someSamples(): Sample[] {
  const samples: Sample[] = []
  const lastMs = Math.floor(Date.now() / minuteMs) * minuteMs - 2 * minuteMs
  const series = [
    { metricId: 'system.cpu.utilization', labels: { 'cpu.mode': 'user' } },
    { metricId: 'system.cpu.utilization', labels: { 'cpu.mode': 'idle' } },
    { metricId: 'system.memory.usage', labels: {} },
    { metricId: 'a:b/c', labels: { device: 'sda', a: '*' } },
  ]
  for (const serverId of ['web-1', 'web-2', 'Db:3']) {
    for (const one of series) {
      for (let ts = lastMs - 120 * minuteMs; ts < lastMs; ts += 20_000) {
        samples.push({ serverId, ...one, ts, value: Math.round((ts / 20_000) % 100) / 100 })
      }
    }
  }
  return samples
}

function ask(url: string, { method, url: path, headers, body }: FuzzRequest, agent: Agent): Promise<FuzzAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    // Node sends none with a DELETE, and the body would be the next request.
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const asked = httpRequest({ hostname, port, path, method, headers: { ...headers, ...length }, agent }, (answer) => {
      const chunks: Buffer[] = []
      const finish = (): void =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() })
      // A live stream has no end.
      if (answer.headers['content-type']?.startsWith('text/event-stream')) {
        asked.destroy()
        return finish()
      }
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', finish)
      answer.on('error', reject)
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Of use for later requests. */
function remember({ headers, text }: FuzzAnswer, seen: SeenValues): void {
  const keep = (list: string[], value: unknown): void => {
    if (typeof value !== 'string' && typeof value !== 'number') return
    list.push(String(value))
    if (list.length > 20) list.shift()
  }
  keep(seen.etags, headers['etag'])
  const found = /"(nextCursor|annotationId)":"?([\w-]+)/.exec(text)
  if (found?.[2] !== undefined && found[2] !== 'null') {
    keep(found[1] === 'nextCursor' ? seen.cursors : seen.annotationIds, found[2])
  }
}

describe('the API under requests from its own document', { timeout: 3_600_000 }, () => {
  let child: EmbeddedChild
  const agent = new Agent({ keepAlive: true, maxSockets: 2 * atOnce })

  before(async () => {
    child = await startChild(await temporaryFolder(), { MINUTELY_QUERY_TIMEOUT_MS: '60000' })
    for (const request of requestsOf(someSamples(), { form: 'columns', encoding: 'gzip' })) {
      assert.equal(await send(child.url, request), 202)
    }
    for (;;) {
      const { status } = await fetch(`${child.url}/v1/servers/Db%3A3/metrics`)
      if (status === 200) break
      await delay(200)
    }
  })
  after(async () => {
    agent.destroy()
    assert.equal(await child?.stop(), 0)
  })

  test(`gives no 5xx and nothing undocumented in ${requestCount} requests (seed ${seed})`, async () => {
    const document = (await (await fetch(`${child.url}/v1/openapi.json`)).json()) as ApiDocument
    const check = new AnswerCheck(document)
    const seen: SeenValues = { cursors: [], etags: [], annotationIds: [] }
    const counts = { valid: 0, validOk: 0, refused: 0 }
    const requests = fc.array(fuzzRequests(document, seen), { minLength: 1, maxLength: atOnce, size: 'max' })
    let asked = 0
    const run = async (batch: readonly FuzzRequest[]): Promise<void> => {
      await Promise.all(
        batch.map(async (request) => {
          const answer = await ask(child.url, request, agent)
          check.check(request, answer)
          remember(answer, seen)
          asked++
          if (answer.status >= 400) counts.refused++
          if (!request.isValid) return
          counts.valid++
          if (answer.status < 400) counts.validOk++
        }),
      )
    }
    for (let round = 0; asked < requestCount; round++) {
      const numRuns = Math.ceil((requestCount - asked) / atOnce)
      await fc.assert(fc.asyncProperty(requests, run), {
        seed: seed + round,
        numRuns,
        interruptAfterTimeLimit: 3_000_000,
      })
    }
    // It reached more than refusals, and more than what is right.
    assert.ok(counts.validOk > counts.valid / 3, `${counts.validOk} of ${counts.valid} valid requests were answered`)
    assert.ok(counts.refused > asked / 10, `${counts.refused} of ${asked} requests were refused`)
    const ready = await fetch(`${child.url}/readyz`)
    assert.equal(ready.status, 200, await ready.text())
  })
})
