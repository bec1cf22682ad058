/** Gathering, deadlines and bounds on a clock that stands still; the log is a list of promises the test settles. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { createLogger } from '@minutely/lib/logging'
import { type LogAppend, LogUnavailableError } from '@minutely/lib/sample-log/sample-log'
import { decodeLogPayload } from '@minutely/schema/log-payload'
import { decodeSeriesList, encodeSampleBatch, encodeSeriesList } from '@minutely/schema/sample-codec'
import { Registry } from 'prom-client'
import { Linger, type LingerDeps } from './linger.ts'
import { createCollectorMetrics } from './metrics.ts'
import { type RoutedSection, routeSeries } from './series-routing.ts'

const nowMs = 1_764_028_800_000

function createLinger(config: Partial<LingerDeps['config']> = {}, { takesBundles = false } = {}) {
  const clock = new VirtualClock(nowMs)
  const appends: (PromiseWithResolvers<void> & { records: readonly LogAppend[] })[] = []
  const sampleLog = {
    takesBundles,
    append: (records: readonly LogAppend[]) => {
      const pending = { ...Promise.withResolvers<void>(), records }
      appends.push(pending)
      return pending.promise
    },
  }
  const defaults = {
    lingerMs: 100,
    lingerBytesMax: 262_144,
    recordBytesMax: 921_600,
    appendDeadlineMs: 8_000,
    appendsInFlightMax: 2,
    appendQueueBytesMax: 67_108_864,
  }
  const log = createLogger({ level: 'silent', format: 'json' })
  const metrics = createCollectorMetrics(new Registry())
  const linger = new Linger({ clock, sampleLog, metrics, log, random: () => 0.5, config: { ...defaults, ...config } })
  return { linger, clock, appends, metrics }
}

function section(serverId: string, metricIds: readonly string[], slotCount = 1): RoutedSection {
  const series = metricIds.map((metricId) => ({ metricId, labels: {} }))
  const sampleLog = { route: ({ metricId }: { metricId: string }) => ({ topic: metricId.slice(0, 1), partition: 0 }) }
  const values = Float64Array.from({ length: series.length * slotCount }, (_, index) => index)
  return {
    section: {
      tenantId: 'default',
      serverId,
      startMs: nowMs,
      stepMs: 1000,
      slotCount,
      series: encodeSeriesList(series),
      values: Buffer.from(values.buffer),
    },
    routing: routeSeries({ tenantId: 'default', serverId }, series, { sampleLog }),
  }
}

/** topic -> server -> metric -> values, of one append. */
function contents(records: readonly LogAppend[]): string[] {
  return records.flatMap(({ topic, payload }) =>
    decodeLogPayload(payload).sections.flatMap((sent) => {
      const values = new Float64Array(new Uint8Array(sent.values).buffer)
      return decodeSeriesList(sent.series).map(
        ({ metricId }, row) =>
          `${topic} ${sent.serverId} ${metricId} ${values.slice(row * sent.slotCount, (row + 1) * sent.slotCount).join()}`,
      )
    }),
  )
}

test('sections of several requests go into one append, and all wait for it', async () => {
  const { linger, clock, appends } = createLinger()
  let settledCount = 0
  const requests = ['a', 'b', 'c'].map((server) => linger.append([section(server, ['m'])]).then(() => settledCount++))
  await clock.advance(99)
  assert.equal(appends.length, 0)
  await clock.advance(1)
  assert.equal(appends.length, 1)
  assert.deepEqual(contents(appends[0]?.records ?? []), ['m a m 0', 'm b m 0', 'm c m 0'])
  assert.equal(decodeLogPayload(appends[0]?.records[0]?.payload ?? Buffer.alloc(0)).receivedAtMs, nowMs + 100)
  assert.equal(settledCount, 0)
  appends[0]?.resolve()
  await Promise.all(requests)
  assert.equal(clock.pendingCount, 0)
})

test('rows of one block go to the topics of their metrics', async () => {
  const { linger, clock, appends } = createLinger()
  const request = linger.append([section('a', ['x1', 'y1', 'x2'], 2)])
  await clock.advance(100)
  assert.deepEqual(contents(appends[0]?.records ?? []), ['x a x1 0,1', 'x a x2 4,5', 'y a y1 2,3'])
  appends[0]?.resolve()
  await request
})

test('enough bytes are appended at once', () => {
  const { linger, appends } = createLinger({ lingerBytesMax: 1000 })
  void linger.append([section('a', ['m'], 125)])
  assert.equal(appends.length, 1)
})

test('a large section is cut into records that fit, with nothing lost', async () => {
  for (const [metricCount, slotCount] of [
    [300, 500],
    [2, 40_000],
  ] as const) {
    const { linger, appends } = createLinger({ lingerBytesMax: 1, recordBytesMax: 65_536 })
    const metricIds = Array.from({ length: metricCount }, (_, index) => `m${index}`)
    const whole = section('a', metricIds, slotCount)
    void linger.append([whole])
    const records = appends[0]?.records ?? []
    const seen = new Map<string, number>()
    for (const { payload } of records) {
      assert.ok(payload.length <= 65_536, `${payload.length} bytes`)
      for (const cut of decodeLogPayload(payload).sections) {
        const values = new Float64Array(new Uint8Array(cut.values).buffer)
        for (const [row, { metricId }] of decodeSeriesList(cut.series).entries()) {
          for (let slot = 0; slot < cut.slotCount; slot++) {
            seen.set(`${metricId} ${(cut.startMs - nowMs) / 1000 + slot}`, values[row * cut.slotCount + slot] as number)
          }
        }
      }
    }
    assert.equal(seen.size, metricCount * slotCount)
    for (const [row, metricId] of metricIds.entries()) {
      for (let slot = 0; slot < slotCount; slot++) assert.equal(seen.get(`${metricId} ${slot}`), row * slotCount + slot)
    }
  }
})

/** A section of one partition as an agent would have sent it. */
function sentAs(one: RoutedSection) {
  const { serverId, startMs, stepMs, slotCount, series, values } = one.section
  const block = { startMs, stepMs, slotCount, series, values }
  const bytes = encodeSampleBatch({ serverId, sentAtMs: nowMs, blocks: [block] })
  return { bytes, encoding: 'identity' as const, plainBytes: bytes.length }
}

test('what was accepted as it was sent is kept as it was sent, in the order of arrival, where the log takes that', async () => {
  for (const takesBundles of [false, true]) {
    const { linger, clock, appends } = createLinger({}, { takesBundles })
    const batches = ['a', 'c', 'd'].map((server) => section(server, ['m', 'm2'], 2))
    const [a, c, d] = batches as [RoutedSection, RoutedSection, RoutedSection]
    const requests = [
      linger.append([a], sentAs(a)),
      linger.append([section('b', ['m'])]),
      linger.append([c], sentAs(c)),
      linger.append([d], sentAs(d)),
    ]
    await clock.advance(100)
    const records = appends[0]?.records ?? []
    assert.equal(records.length, 1)
    const expected = ['m a m 0,1', 'm a m2 2,3', 'm b m 0', 'm c m 0,1', 'm c m2 2,3', 'm d m 0,1', 'm d m2 2,3']
    assert.deepEqual(contents(records), expected)
    assert.deepEqual(
      records[0]?.sections?.map(({ serverId }) => serverId),
      ['a', 'b', 'c', 'd'],
    )
    assert.deepEqual(
      [records[0]?.isCompressed ?? false, (records[0]?.payload[0] ?? 0) > 0x80],
      [takesBundles, takesBundles],
    )
    for (const { section: whole } of takesBundles ? batches : []) {
      assert.ok(records[0]?.payload.includes(sentAs({ ...a, section: whole }).bytes))
    }
    appends[0]?.resolve()
    await Promise.all(requests)
  }
})

test('bundles fit into records too, and what has several partitions or is too large goes by its sections', async () => {
  const { linger, clock, appends } = createLinger(
    { recordBytesMax: 65_536, lingerBytesMax: 10_000_000 },
    { takesBundles: true },
  )
  const [spread, large] = [section('a', ['x', 'y']), section('b', ['m'], 9_000)]
  const small = Array.from({ length: 40 }, (_, index) => section(`s${index}`, ['m'], 300))
  const requests = [spread, large, ...small].map((one) => linger.append([one], sentAs(one)))
  await clock.advance(100)
  const records = appends[0]?.records ?? []
  for (const { payload } of records) assert.ok(payload.length <= 65_536, `${payload.length} bytes`)
  const servers = records.flatMap(({ payload }) => decodeLogPayload(payload).sections.map(({ serverId }) => serverId))
  assert.deepEqual([...new Set(servers)].sort(), ['a', 'b', ...small.map((one) => one.section.serverId)].sort())
  assert.deepEqual(
    records.flatMap(({ sections = [] }) => sections.map(({ serverId }) => serverId)),
    servers,
  )
  appends[0]?.resolve()
  await Promise.all(requests)
})

test('a body that compresses well is appended before it fills the memory of the queue', () => {
  const { linger, appends } = createLinger({ lingerBytesMax: 1_000 }, { takesBundles: true })
  const one = section('a', ['m'], 2_000)
  void linger.append([one], { ...sentAs(one), encoding: 'zstd', bytes: Buffer.alloc(10) })
  assert.equal(appends.length, 1)
})

test('past the deadline: 503 log-unavailable, while the slot stays taken until the log settles', async () => {
  const { linger, clock, appends } = createLinger({ appendsInFlightMax: 1 })
  const first = assert.rejects(linger.append([section('a', ['m'])]), {
    id: 'log-unavailable',
    status: 503,
    retryAfterS: 6,
  })
  await clock.advance(100)
  const second = assert.rejects(linger.append([section('b', ['m'])]), { id: 'log-unavailable' })
  await clock.advance(8_000)
  await first
  assert.match(linger.problem() ?? '', /not confirmed 1 append/)
  await clock.advance(100)
  await second
  assert.equal(appends.length, 1)
  appends[0]?.resolve()
  await clock.advance(0)
  assert.equal(linger.problem(), null)
  void linger.append([section('c', ['m'])])
  await clock.advance(100)
  assert.equal(appends.length, 2)
})

test('a refused append is 503, log-full or disk-full when the log says so', async () => {
  const { linger, clock, appends } = createLinger()
  const errors = [
    new LogUnavailableError('down'),
    new LogUnavailableError('lag', { full: 'readers-lag' }),
    new LogUnavailableError('12 MiB are free', { full: 'disk' }),
    new Error('a defect'),
  ]
  for (const [index, error] of errors.entries()) {
    const id = (['log-unavailable', 'log-full', 'disk-full'] as const)[index] ?? 'log-unavailable'
    const request = assert.rejects(linger.append([section('a', ['m'])]), { id, status: 503 })
    await clock.advance(100)
    appends[index]?.reject(error)
    await request
  }
})

test('what waits for the log is bounded: 503 overloaded, until there is room again', async () => {
  const { linger, clock, appends, metrics } = createLinger({ appendQueueBytesMax: 1_048_576, lingerBytesMax: 600_000 })
  const first = linger.append([section('a', ['m'], 90_000)])
  await assert.rejects(linger.append([section('b', ['m'], 90_000)]), { id: 'overloaded', retryAfterS: 3 })
  appends[0]?.resolve()
  await first
  await clock.advance(0)
  assert.equal((await metrics.lingerBytes.get()).values[0]?.value, 0)
  void linger.append([section('b', ['m'], 90_000)])
  assert.equal(appends.length, 2)
})

test('stop refuses what comes, and appends what was gathered', async () => {
  const { linger, clock, appends } = createLinger()
  const request = linger.append([section('a', ['m'])])
  const stopped = linger.stop()
  await assert.rejects(linger.append([section('b', ['m'])]), { id: 'overloaded' })
  assert.equal(appends.length, 1)
  appends[0]?.resolve()
  await Promise.all([request, stopped])
  assert.equal(clock.pendingCount, 0)
})

test('stop ends with the deadline when the log never answers', async () => {
  const { linger, clock } = createLinger()
  const request = assert.rejects(linger.append([section('a', ['m'])]), { id: 'log-unavailable' })
  const stopped = linger.stop()
  await clock.advance(8_000)
  await Promise.all([request, stopped])
})
