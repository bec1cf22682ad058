/** The door over real HTTP: every kind of bad input gets its own answer, and the next good request is served as ever. */
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { after, before, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { createHttpServer } from '@minutely/lib/http-server'
import { createLogger } from '@minutely/lib/logging'
import { type LogAppend, LogUnavailableError } from '@minutely/lib/sample-log/sample-log'
import { errorAnswer } from '@minutely/schema/error-catalogue'
import { decodeLogPayload } from '@minutely/schema/log-payload'
import { encodeSampleBatch, encodeSeriesList } from '@minutely/schema/sample-codec'
import { samplesAnswer } from '@minutely/schema/sample-wire'
import { Registry } from 'prom-client'
import { collectorSettings } from './config.ts'
import { createCollector } from './service.ts'

/** What the log holds, and what it does to the next append. */
const memoryLog = {
  payloads: [] as Buffer[],
  nextError: undefined as Error | undefined,
  takesBundles: true,
  route: () => ({ topic: 'samples', partition: 0 }),
  async append(records: readonly LogAppend[]): Promise<void> {
    const error = memoryLog.nextError
    memoryLog.nextError = undefined
    if (error !== undefined) throw error
    memoryLog.payloads.push(...records.map(({ payload }) => payload))
  },
}

const clock = new SystemClock()
const log = createLogger({ level: 'silent', format: 'json' })
const registry = new Registry()
const { collector: config } = loadConfig({ collector: collectorSettings }, { MINUTELY_LINGER_MS: '1' })
const collector = createCollector(config, { clock, sampleLog: memoryLog, registry, log, random: () => 0 })
const readiness = [collector.readiness]
const server = createHttpServer(
  { host: '127.0.0.1', port: 0 },
  { log, registry, plugins: [collector.plugin], readiness },
)

before(async () => {
  await collector.start()
  await server.start()
})
after(async () => {
  await server.stop()
  await collector.stop()
})

interface Sent {
  readonly headers?: Record<string, string>
  readonly method?: string
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely here, their shapes are asserted
  readonly body: any
}

/** node:http, because fetch adds and checks headers of its own. */
function post(body: Buffer | string, { headers = {}, method = 'POST' }: Sent = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const outgoing = httpRequest(`${server.url}/v1/samples`, { method, headers, agent: false }, (incoming) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: JSON.parse(text) })
    })
  })
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

const jsonType = { 'content-type': 'application/json' }
const json = (body: unknown, headers: Record<string, string> = {}) =>
  post(typeof body === 'string' ? body : JSON.stringify(body), { headers: { ...jsonType, ...headers } })

const nowMs = () => Math.floor(clock.nowMs() / 1000) * 1000
const goodRow = () => ({ serverId: 'web-1', metricId: 'cpu', labels: { disk: 'sda' }, value: 1, ts: nowMs() })

async function refused(answer: Promise<Answer>, status: number, error: string): Promise<Answer> {
  const got = await answer
  assert.deepEqual([got.status, got.body.error], [status, error], JSON.stringify(got.body).slice(0, 500))
  errorAnswer.parse(got.body)
  const next = await json({ samples: [goodRow()] })
  assert.deepEqual([next.status, next.body], [202, { accepted: 1, rejected: [] }])
  return got
}

test('columns, rows and avro, in every encoding, are durable before 202', async () => {
  const startMs = nowMs() - 3000
  const series = [{ metricId: 'cpu', labels: {}, values: [1, null, 3] }]
  const values = Buffer.from(Float64Array.of(1, Number.NaN, 3).buffer)
  const block = { startMs, stepMs: 1000, slotCount: 3, series: encodeSeriesList(series), values }
  const bodies = [
    ['application/json', Buffer.from(JSON.stringify({ serverId: 'web-1', startMs, series }))],
    ['Application/JSON; charset="UTF-8"', Buffer.from(JSON.stringify({ samples: [goodRow(), goodRow()] }))],
    ['application/avro', encodeSampleBatch({ serverId: 'web-1', sentAtMs: startMs, blocks: [block] })],
  ] as const
  for (const [type, body] of bodies) {
    const encoded = { identity: body, gzip: gzipSync(body), zstd: zstdCompressSync(body) }
    for (const [encoding, bytes] of Object.entries(encoded)) {
      memoryLog.payloads = []
      const answer = await post(bytes, { headers: { 'content-type': type, 'content-encoding': encoding } })
      assert.deepEqual([answer.status, samplesAnswer.parse(answer.body)], [202, { accepted: 2, rejected: [] }])
      assert.equal(memoryLog.payloads.length, 1)
      assert.equal(decodeLogPayload(memoryLog.payloads[0] as Buffer).sections[0]?.serverId, 'web-1')
    }
  }
})

test('an empty request is no error', async () => {
  for (const body of [
    { samples: [] },
    { serverId: 'web-1', series: [] },
    { serverId: 'w', startMs: 1, series: [{ metricId: 'm', values: [null] }] },
  ]) {
    assert.deepEqual((await json(body)).body, { accepted: 0, rejected: [] })
  }
})

test('media types and encodings that are not ours', async () => {
  const bare = await refused(post(Buffer.from('{}')), 415, 'content-type-unsupported')
  assert.match(bare.body.message, /There is no Content-Type: send application\/json/)
  for (const type of [
    'text/plain',
    'application/json; charset=utf-16',
    'application/x-www-form-urlencoded',
    ';',
    'application/',
  ]) {
    await refused(post('{}', { headers: { 'content-type': type } }), 415, 'content-type-unsupported')
  }
  for (const encoding of ['br', 'gzip, gzip', 'deflate']) {
    await refused(json('{}', { 'content-encoding': encoding }), 415, 'content-encoding-unsupported')
  }
  const get = await post('', { method: 'GET' })
  assert.deepEqual([get.status, get.body.error], [405, 'method-not-allowed'])
})

test('bodies that are not JSON say where', async () => {
  const truncated = await refused(json('{"samples":[{"serverId":"we'), 400, 'body-unreadable')
  assert.deepEqual(truncated.body.details, { position: 24 })
  const nan = await refused(json('{"samples":[{"value":NaN}]}'), 400, 'body-unreadable')
  assert.match(nan.body.message, /at character 21/)
  await refused(json(''), 400, 'body-unreadable')
  await refused(json('[]'), 400, 'body-unreadable')
  await refused(json({ series: 'x' }), 400, 'body-unreadable')
  await refused(json('{}', { 'content-encoding': 'gzip' }), 400, 'body-not-decompressible')
  await refused(json('{}', { 'content-encoding': 'zstd' }), 400, 'body-not-decompressible')
})

test('bodies that are not Avro', async () => {
  const avro = (body: Buffer) => post(body, { headers: { 'content-type': 'application/avro' } })
  const good = encodeSampleBatch({ serverId: 'web-1', sentAtMs: 1, blocks: [] })
  await refused(avro(Buffer.from('{}')), 400, 'body-unreadable')
  await refused(avro(good.subarray(0, -1)), 400, 'body-unreadable')
  await refused(avro(Buffer.concat([good, Buffer.alloc(1)])), 400, 'body-unreadable')
  // Claims 2^31 blocks in five bytes.
  await refused(avro(Buffer.concat([good.subarray(0, -1), Buffer.from('8080808010', 'hex')])), 400, 'body-unreadable')
  // What a newer agent would send: framed as ever, its schema not known here.
  const newer = Buffer.from(good)
  newer.write('0123456789abcdef', 2, 'hex')
  const unknown = await refused(avro(newer), 415, 'schema-unknown')
  assert.match(unknown.body.message, /fingerprint 0123456789abcdef .*upgrade the collector/)
  const bomb = {
    startMs: nowMs(),
    stepMs: 1000,
    slotCount: 1,
    series: Buffer.from('8080808010', 'hex'),
    values: Buffer.alloc(8),
  }
  const answer = await refused(
    avro(encodeSampleBatch({ serverId: 'w', sentAtMs: 1, blocks: [bomb] })),
    422,
    'nothing-acceptable',
  )
  assert.equal(answer.body.details[0].reason, 'series-malformed')
})

test('one bad sample among good ones costs only itself', async () => {
  const row = goodRow()
  const future = nowMs() + 3_600_000
  // Of two equal keys JSON.parse takes the last.
  const cases = [
    ['"value":1e999', 'value-not-finite'],
    ['"value":"1"', 'value-not-a-number'],
    ['"value":true', 'value-not-a-number'],
    ['"value":-1e291', 'value-too-large'],
    ['"ts":1e999', 'time-invalid'],
    [`"ts":${future}`, 'time-in-future'],
    ['"ts":1000', 'time-too-old'],
    ['"labels":{"__proto__":"x"}', 'labels-invalid'],
    ['"labels":{"__proto__":{"metricId":"x"}}', 'labels-invalid'],
    ['"metricId":["x"]', 'metric-id-invalid'],
    ['"serverId":{"__proto__":{}}', 'server-id-invalid'],
  ] as const
  for (const [bad, reason] of cases) {
    const good = JSON.stringify(row)
    const answer = await json(`{"samples":[${good},${good.slice(0, -1)},${bad}},${good}]}`)
    assert.deepEqual([answer.status, answer.body.accepted], [202, 2], `${reason}: ${JSON.stringify(answer.body)}`)
    const reasons = answer.body.rejected.map((entry: { reason: string; count: number }) => [entry.reason, entry.count])
    assert.deepEqual(reasons, [[reason, 1]])
  }
  const proto = await json(
    `{"__proto__":{"x":1},"samples":[{"__proto__":{"value":2},"serverId":"w","metricId":"m","ts":${nowMs()}},${JSON.stringify(row)}]}`,
  )
  assert.deepEqual([proto.body.accepted, proto.body.rejected[0].reason], [1, 'value-not-a-number'])
  assert.equal(Object.keys(Object.prototype).length, 0)
})

test('nothing acceptable is 422 with the reasons', async () => {
  const answer = await refused(
    json({ samples: [{ ...goodRow(), ts: nowMs() + 3_600_000 }] }),
    422,
    'nothing-acceptable',
  )
  assert.equal(answer.body.details[0].reason, 'time-in-future')
  assert.match(answer.body.message, /set the host's clock/)
  const first = await refused(json({ samples: [{ ...goodRow(), ts: nowMs() / 1000 }] }), 422, 'nothing-acceptable')
  assert.match(first.body.message, /the first reason: samples\[0\]: .*this looks like seconds: send ms since the epoch/)
  const answered = samplesAnswer.parse({ accepted: 0, rejected: first.body.details })
  assert.equal(answered.rejected[0]?.firstIndex, 0)
})

test('bodies that are too much', async () => {
  // 1 GiB each, of 1 MiB and 35 KB; and 10 MiB of 10 KB.
  const gigabyte = Buffer.concat(new Array(32).fill(gzipSync(Buffer.alloc(1 << 25))))
  const zstdGigabyte = Buffer.concat(new Array(32).fill(zstdCompressSync(Buffer.alloc(1 << 25))))
  const tenKilobytes = gzipSync(Buffer.alloc(10 << 20))
  assert.ok(gigabyte.length < 1_048_576 && zstdGigabyte.length < 40_000 && tenKilobytes.length < 11_000)
  for (const [bytes, encoding] of [
    [gigabyte, 'gzip'],
    [tenKilobytes, 'gzip'],
    [zstdGigabyte, 'zstd'],
  ] as const) {
    await refused(post(bytes, { headers: { ...jsonType, 'content-encoding': encoding } }), 413, 'body-too-large')
  }
  const nineMebibytes = Buffer.from(
    JSON.stringify({ samples: Array.from({ length: 120_000 }, (_, i) => ({ ...goodRow(), value: i })) }),
  )
  const packed = gzipSync(nineMebibytes)
  assert.ok(nineMebibytes.length > 9 << 20 && packed.length < 1 << 20)
  await refused(post(packed, { headers: { ...jsonType, 'content-encoding': 'gzip' } }), 413, 'body-too-large')
  await refused(post(Buffer.alloc(2 << 20), { headers: jsonType }), 413, 'body-too-large')
  await refused(
    post(Buffer.alloc(2 << 20), { headers: { ...jsonType, 'transfer-encoding': 'chunked' } }),
    413,
    'body-too-large',
  )
})

test('JSON that is small to send and large to build', async () => {
  const packed = (text: string) =>
    post(gzipSync(text, { level: 1 }), { headers: { ...jsonType, 'content-encoding': 'gzip' } })
  const pad = JSON.stringify(Array.from({ length: 20_000 }, () => Math.random()))
  const cases = [
    [`{"series":[${'['.repeat(100_000)}`, 400, 'body-unreadable'],
    [`{"pad":${pad},"series":[${'[],'.repeat(2_500_000)}[]]}`, 413, 'body-too-large'],
    [
      `{"pad":${pad},${Array.from({ length: 600_000 }, (_, i) => `"${i}":0`).join()},"series":[]}`,
      413,
      'body-too-large',
    ],
  ] as const
  for (const [text, status, id] of cases) await refused(packed(text), status, id)
})

test('a log that refuses is 503 with Retry-After, and counted neither way', async () => {
  const accepted = async () =>
    (await registry.getSingleMetric('minutely_samples_accepted_total')?.get())?.values[0]?.value
  const before = await accepted()
  const cases = [
    [new LogUnavailableError('lost'), 'log-unavailable', '2'],
    [new LogUnavailableError('lag', { full: 'readers-lag' }), 'log-full', '10'],
    [new LogUnavailableError('12 MiB are free', { full: 'disk' }), 'disk-full', '10'],
  ] as const
  for (const [error, id, retryAfter] of cases) {
    memoryLog.nextError = error
    const answer = await json({ samples: [goodRow()] })
    assert.deepEqual([answer.status, answer.body.error, answer.headers['retry-after']], [503, id, retryAfter])
  }
  assert.equal(await accepted(), before)
  assert.equal((await json({ samples: [goodRow()] })).status, 202)
})
