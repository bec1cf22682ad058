/**
 * Shipping against a real HTTP server, with time in our hand: lost answers, overload, refusals, order, backlog, stop.
 * `until` turns the event loop until something has happened; nothing here waits for, or asserts, a duration.
 */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@minutely/lib/clock'
import { encodeSeriesList } from '@minutely/schema/sample-codec'
import pino from 'pino'
import { type Counter, Registry } from 'prom-client'
import type { Batch } from './batch.ts'
import { BatchQueue } from './batch-queue.ts'
import { createCollectorClient } from './collector-client.ts'
import { createAgentMetrics } from './metrics.ts'
import {
  answer,
  createScriptedCollector,
  hang,
  loseAnswer,
  type ScriptedAnswer,
  type ScriptedCollector,
} from './scripted-collector.ts'
import { createShipper, fullJitterMs } from './ship.ts'

const nowMs = 1_764_028_800_000
const series = encodeSeriesList([{ metricId: 'system.uptime', labels: {} }])

/** A batch of one series, 15 samples; told apart by its start. */
function batch(startMs: number): Batch {
  const values = Buffer.alloc(15 * 8)
  for (let slot = 0; slot < 15; slot += 1) values.writeDoubleLE(slot, slot * 8)
  return { block: { startMs, stepMs: 1000, slotCount: 15, series, values }, seriesCount: 1, sampleCount: 15 }
}

const cleanUps: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

async function setUp(script: readonly ScriptedAnswer[], options: { random?: () => number; lines?: string[] } = {}) {
  const collector = await createScriptedCollector(script)
  const clock = new VirtualClock(nowMs)
  const metrics = createAgentMetrics(new Registry(), { queue: () => queue.load })
  const queue = new BatchQueue(
    { queueBytesMax: 1_000_000, queueAgeMaxMs: 3_600_000 },
    {
      monotonicMs: () => clock.nowMs(),
      onDrop: (lost, reason) => metrics.samplesDropped.inc({ reason }, lost.sampleCount),
    },
  )
  const log = pino({ level: 'info' }, { write: (line: string) => options.lines?.push(line) })
  const shipper = createShipper(
    { requestTimeoutMs: 15_000 },
    {
      serverId: 'web-17',
      queue,
      client: createCollectorClient(collector.url, { clock }),
      clock,
      log,
      metrics,
      random: options.random ?? (() => 0.5),
      monotonicMs: () => clock.nowMs(),
      room: () => '15 of 16 MiB are left in memory',
    },
  )
  cleanUps.push(
    () => shipper.stop(),
    () => collector.close(),
  )
  return { collector, clock, metrics, queue, shipper }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await turn()
}

/** The next request starts after delayMs, not a millisecond before. */
async function advanceExactly(clock: VirtualClock, delayMs: number, collector: ScriptedCollector): Promise<void> {
  const before = collector.requests.length
  await clock.advance(delayMs - 1)
  assert.equal(collector.requests.length, before)
  assert.equal(clock.pendingCount, 1)
  await clock.advance(1)
}

async function total(counter: Counter<string>, reason?: string): Promise<number> {
  const { values } = await counter.get()
  const wanted = values.filter(({ labels: { reason: found } }) => reason === undefined || found === reason)
  return wanted.reduce((sum, { value }) => sum + value, 0)
}

describe('createShipper', () => {
  it('sends Avro in zstd over one kept connection, and forgets what was accepted', async () => {
    const { collector, queue, shipper, metrics } = await setUp([answer(202, { accepted: 15, rejected: [] })])
    shipper.ship([batch(nowMs - 15_000)])
    const { method, path, headers, batch: sent } = await collector.request(1)
    assert.equal(`${method} ${path}`, 'POST /v1/samples')
    assert.equal(headers['content-type'], 'application/avro')
    assert.equal(headers['content-encoding'], 'zstd')
    assert.equal(sent.serverId, 'web-17')
    assert.equal(sent.sentAtMs, nowMs)
    await until(() => queue.load.batches === 0)
    assert.equal(await total(metrics.samplesShipped), 15)
    shipper.ship([batch(nowMs)])
    await collector.request(2)
    assert.equal(collector.connectionCount, 1)
  })

  it('sends the same batch again when the answer was lost', async () => {
    const { collector, clock, shipper, queue, metrics } = await setUp([loseAnswer])
    shipper.ship([batch(nowMs)])
    const first = await collector.request(1)
    await until(async () => (await total(metrics.retries, 'network')) === 1)
    await clock.advance(1000)
    const second = await collector.request(2)
    assert.deepEqual(second.batch.blocks, first.batch.blocks)
    await until(() => queue.load.batches === 0)
    assert.equal(await total(metrics.samplesDropped), 0)
  })

  it('waits as long as Retry-After says, no shorter and no longer', async () => {
    const { collector, clock, shipper, metrics } = await setUp([answer(503, {}, { 'retry-after': '7' })])
    shipper.ship([batch(nowMs)])
    await collector.request(1)
    await until(async () => (await total(metrics.retries, 'status-503')) === 1)
    await advanceExactly(clock, 7000, collector)
    await collector.request(2)
  })

  it('gives up on an answer after 15 s and tries again', async () => {
    const { collector, clock, shipper, metrics } = await setUp([hang])
    shipper.ship([batch(nowMs)])
    await collector.request(1)
    await clock.advance(15_000)
    await until(async () => (await total(metrics.retries, 'timeout')) === 1)
    await clock.advance(1000)
    await collector.request(2)
  })

  it('backs off exponentially with jitter, and starts over after a success', async () => {
    const fail = answer(500, {})
    const script = [fail, fail, fail, answer(202, {}), fail]
    const { collector, clock, shipper, metrics } = await setUp(script, { random: () => 0.5 })
    shipper.ship([batch(nowMs)])
    for (const [failures, delayMs] of [500, 1000, 2000].entries()) {
      await collector.request(failures + 1)
      await until(async () => (await total(metrics.retries)) === failures + 1)
      await advanceExactly(clock, delayMs, collector)
      await collector.request(failures + 2)
    }
    await until(async () => (await total(metrics.samplesShipped)) > 0)
    shipper.ship([batch(nowMs + 15_000)])
    await collector.request(5)
    await until(async () => (await total(metrics.retries)) === 4)
    await advanceExactly(clock, 500, collector)
    await collector.request(6)
  })

  for (const status of [400, 413, 415, 422] as const) {
    it(`drops what was refused with ${status}, counts it once and says why`, async () => {
      const lines: string[] = []
      const body = { error: 'nothing-acceptable', message: 'all 15 samples are too old' }
      const { collector, shipper, queue, metrics } = await setUp([answer(status, body)], { lines })
      shipper.ship([batch(nowMs)])
      await until(() => queue.load.batches === 0)
      assert.equal(collector.requests.length, 1)
      assert.equal(await total(metrics.samplesDropped, `status-${status}`), 15)
      assert.equal(await total(metrics.samplesShipped), 0)
      assert.equal(lines.filter((line) => line.includes('all 15 samples are too old')).length, 1)
    })
  }

  it('says once that all it sends is refused, and again after a success', async () => {
    const lines: string[] = []
    const refuse = answer(422, { error: 'nothing-acceptable', message: '150000 series are active' })
    const script = [refuse, refuse, refuse, answer(202, { accepted: 15, rejected: [] }), refuse]
    const { collector, shipper, queue, metrics } = await setUp(script, { lines })
    for (const index of script.keys()) {
      shipper.ship([batch(nowMs + index * 15_000)])
      await until(() => queue.load.batches === 0)
    }
    assert.equal(collector.requests.length, script.length)
    assert.equal(await total(metrics.samplesDropped, 'status-422'), 4 * 15)
    assert.equal(lines.filter((line) => line.includes('150000 series are active')).length, 2)
  })

  it('keeps what only a newer collector can read, and says once to upgrade it', async () => {
    const lines: string[] = []
    const body = { error: 'schema-unknown', message: 'No schema with fingerprint 0123456789abcdef is known here' }
    const script = [answer(503, {}), answer(415, body), answer(415, body)]
    const { collector, clock, shipper, queue, metrics } = await setUp(script, { lines })
    shipper.ship([batch(nowMs)])
    for (const n of [1, 2, 3]) {
      await collector.request(n)
      await until(async () => (await total(metrics.retries)) === n)
      assert.equal(queue.load.batches, 1)
      await advanceExactly(clock, 250 * 2 ** n, collector)
    }
    await until(() => queue.load.batches === 0)
    assert.equal(await total(metrics.retries, 'schema-unknown'), 2)
    assert.equal(await total(metrics.samplesDropped), 0)
    assert.equal(await total(metrics.samplesShipped), 1)
    assert.equal(lines.filter((line) => /upgrade the collector.*samples are kept/.test(line)).length, 1)
  })

  it('counts rejected samples by reason, logs each reason once, and takes no reason it does not know', async () => {
    const lines: string[] = []
    const rejected = ['time-too-old', 'invented'].map((reason) => ({ metricId: 'm', reason, count: 2, detail: 'why' }))
    const partly = answer(202, { accepted: 11, rejected })
    const { shipper, queue, metrics } = await setUp([partly, partly], { lines })
    for (const startMs of [nowMs, nowMs + 15_000]) {
      shipper.ship([batch(startMs)])
      await until(() => queue.load.batches === 0)
    }
    assert.equal(await total(metrics.samplesShipped), 22)
    assert.equal(await total(metrics.samplesDropped, 'time-too-old'), 4)
    assert.equal(await total(metrics.samplesDropped, 'other'), 4)
    assert.equal(lines.filter((line) => line.includes('rejected samples')).length, 2)
  })

  it('takes a 2xx for an acknowledgement whatever its body says', async () => {
    const { shipper, queue, metrics } = await setUp([(response) => response.writeHead(200).end('thanks')])
    shipper.ship([batch(nowMs)])
    await until(() => queue.load.batches === 0)
    assert.equal(await total(metrics.samplesShipped), 15)
  })

  it('keeps the data when the setup is wrong (401, 404): somebody will fix it', async () => {
    const { collector, clock, shipper, metrics, queue } = await setUp([answer(401, {}), answer(404, {})])
    shipper.ship([batch(nowMs)])
    for (const n of [1, 2]) {
      await collector.request(n)
      await until(async () => (await total(metrics.retries)) === n)
      await advanceExactly(clock, n * 500, collector)
    }
    await until(() => queue.load.batches === 0)
    assert.equal(await total(metrics.samplesDropped), 0)
  })
})

describe('createShipper, after an outage', () => {
  const outage = answer(503, {}, { 'retry-after': '1' })

  it('sends live data first, then the backlog, newest first and many batches a request', async () => {
    const { collector, clock, shipper, queue, metrics } = await setUp([outage])
    shipper.ship([batch(1)])
    await collector.request(1)
    await until(async () => (await total(metrics.retries)) === 1)
    for (let startMs = 2; startMs <= 40; startMs += 1) shipper.ship([batch(startMs)])
    await clock.advance(1000)
    assert.deepEqual((await collector.request(2)).starts, [40])
    const backlog = (await collector.request(3)).starts
    assert.deepEqual(
      backlog,
      Array.from({ length: 30 }, (_, index) => index + 10),
    )
    await until(() => queue.load.batches === 9)
  })

  it('gives the backlog at most a quarter of the requests', async () => {
    const { collector, clock, shipper, queue, metrics } = await setUp([outage])
    shipper.ship(Array.from({ length: 100 }, (_, index) => batch(index + 1)))
    await collector.request(1)
    await until(async () => (await total(metrics.retries)) === 1)
    await clock.advance(1000)
    for (let startMs = 101; queue.load.batches > 0; startMs += 1) {
      shipper.ship([batch(startMs)])
      await until(() => collector.requests.some(({ starts }) => starts.includes(startMs)))
      await until(() => queue.load.batches === 0 || clock.pendingCount === 0)
      await turn()
    }
    const kinds = collector.requests.map(({ starts }) => (starts.length > 1 ? 'backlog' : 'live'))
    for (let from = 0; from + 4 <= kinds.length; from += 1) {
      assert.ok(kinds.slice(from, from + 4).filter((kind) => kind === 'backlog').length <= 1, kinds.join(' '))
    }
    const stored = new Set(collector.requests.slice(1).flatMap(({ starts }) => starts))
    for (let startMs = 1; startMs <= 100; startMs += 1) assert.ok(stored.has(startMs), `${startMs} is missing`)
  })
})

describe('createShipper, what it says of an outage', () => {
  const outage = answer(503, {}, { 'retry-after': '60' })
  const acceptAll: ScriptedAnswer = (response, { batch: { blocks } }) =>
    answer(202, { accepted: 15 * blocks.length, rejected: [] })(response)

  it('reminds after 1, 5, 30 min and then hourly, and says once what was caught up', async () => {
    const lines: string[] = []
    const failures = 185
    const script = [...Array.from({ length: failures }, () => outage), ...Array.from({ length: 20 }, () => acceptAll)]
    const { collector, clock, shipper, queue, metrics } = await setUp(script, { lines })
    for (let n = 1; n <= failures; n += 1) {
      shipper.ship([batch(n)])
      await collector.request(n)
      await until(async () => (await total(metrics.retries)) === n)
      await clock.advance(60_000)
    }
    const matches = (pattern: RegExp) => lines.flatMap((line) => [...line.matchAll(pattern)])
    assert.deepEqual(
      matches(/taken nothing for (.*?): \d+ samples wait; 15 of 16 MiB are left in memory/g).map(([, time]) => time),
      ['60 s', '5 min', '30 min', '60 min', '2 h', '3 h'],
    )
    await until(async () => (await total(metrics.samplesShipped)) > 0)
    for (let n = failures + 1; queue.load.batches > 0; n += 1) {
      shipper.ship([batch(n)])
      await until(() => collector.requests.some(({ starts }) => starts.includes(n)))
      await until(() => queue.load.batches === 0 || clock.pendingCount === 0)
      await turn()
    }
    const [again] = matches(/answers again after (.*?): (\d+) samples wait/g)
    assert.deepEqual([again?.[1], Number(again?.[2]) > 800], ['3.1 h', true])
    assert.deepEqual(
      matches(/caught up: (\d+) samples that had waited are delivered/g).map(([, samples]) => samples),
      [again?.[2]],
    )
  })

  it('says nothing of catching up when all goes well', async () => {
    const lines: string[] = []
    const { shipper, queue } = await setUp([], { lines })
    shipper.ship([batch(1), batch(2), batch(3)])
    await until(() => queue.load.batches === 0)
    assert.deepEqual(lines, [])
  })
})

describe('createShipper, stopping', () => {
  it('sends what is left in one request and leaves nothing running', async () => {
    const { collector, clock, shipper, queue } = await setUp([answer(503, {}, { 'retry-after': '60' })])
    shipper.ship([batch(1)])
    await collector.request(1)
    await until(() => clock.pendingCount === 1)
    shipper.ship([batch(2)])
    await shipper.stop()
    assert.deepEqual(collector.requests[1]?.starts, [1, 2])
    assert.equal(collector.requests.length, 2)
    assert.equal(queue.load.batches, 0)
    assert.equal(clock.pendingCount, 0)
  })

  it('takes a request that is going on into the last one', async () => {
    const { collector, shipper } = await setUp([hang])
    shipper.ship([batch(1)])
    await collector.request(1)
    await shipper.stop()
    assert.deepEqual(collector.requests[1]?.starts, [1])
  })

  it('waits 3 s for the last answer, then counts what is lost and says so', async () => {
    const lines: string[] = []
    const { collector, clock, shipper, metrics } = await setUp([hang, hang], { lines })
    shipper.ship([batch(1)])
    await collector.request(1)
    const stopped = shipper.stop()
    await collector.request(2)
    await clock.advance(3000)
    await stopped
    assert.equal(await total(metrics.samplesDropped, 'stopped'), 15)
    assert.match(lines.at(-1) ?? '', /15 samples are lost: they were in memory only, this agent has no spool/)
    assert.equal(clock.pendingCount, 0)
  })
})

describe('fullJitterMs', () => {
  it('uses the full range from 0 to the bound', () => {
    for (const [failedAttempts, boundMs] of [
      [1, 1000],
      [4, 8000],
      [7, 60_000],
      [1000, 60_000],
    ] as const) {
      assert.equal(
        fullJitterMs(failedAttempts, () => 0),
        0,
      )
      assert.equal(
        fullJitterMs(failedAttempts, () => 0.25),
        boundMs / 4,
      )
      assert.ok(fullJitterMs(failedAttempts, () => 1 - Number.EPSILON) <= boundMs)
    }
  })
})
