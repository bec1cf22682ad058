/**
 * The same samples give the same answers, embedded and distributed: whole bodies and ETags are compared byte for byte, from
 * the embedded process and from each query API of a fleet. Samples are of the last half hour (late, merged in parts, in an
 * order that differs between the two), with gaps, labels, duplicates and decimals of two digits, whose sums are exact.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { SeriesAnswer } from '@minutely/schema/query-wire'
import type { Labels } from '@minutely/schema/series-identity'
import { minuteMs } from '../src/fleet/delivery-ledger.ts'
import { DistributedFleet } from '../src/fleet/distributed-fleet.ts'
import { scrape } from '../src/fleet/prometheus-text.ts'
import { redisCommand } from '../src/fleet/redis-command.ts'
import type { ServerAddresses } from '../src/fleet/server-addresses.ts'
import { ServiceProcess } from '../src/fleet/service-process.ts'
import { takeLogFolder, takeServers } from './fleet-fixture.ts'

interface Row {
  readonly serverId: string
  readonly metricId: string
  readonly labels: Labels
  readonly value: number
  readonly ts: number
}

const seriesOfHost: readonly Pick<Row, 'metricId' | 'labels'>[] = [
  { metricId: 'app.requests', labels: {} },
  { metricId: 'app.latency', labels: { route: '/checkout', 'http.method': 'GET' } },
  { metricId: 'app.latency', labels: { route: 'ünï "q", \\', 'http.method': 'POST' } },
  { metricId: 'disk.used', labels: { device: 'sda' } },
  { metricId: 'disk.used', labels: { device: 'sdb' } },
]
const hosts = ['web-1', 'web-2', 'db-1']
const settleDeadlineMs = 75_000
const pollMs = 500

describe('embedded and distributed', { timeout: 200_000 }, () => {
  let embedded: ServiceProcess
  let fleet: DistributedFleet
  let rows: Row[]
  let range = ''
  let servers: ServerAddresses

  before(async () => {
    const logDir = await takeLogFolder()
    embedded = new ServiceProcess({
      name: 'embedded',
      main: 'all-in-one/src/main.ts',
      logFile: join(logDir, 'embedded.log'),
      settings: { MINUTELY_DATA_DIR: join(logDir, 'data'), MINUTELY_LOCAL_AGENT: 'off' },
    })
    servers = await takeServers()
    fleet = new DistributedFleet({ collectors: 2, aggregators: 2, queryApis: 2, servers, logDir })
    await Promise.all([embedded.start().then(() => embedded.awaitReady(30_000)), fleet.start()])
    const toMs = Math.floor(Date.now() / minuteMs) * minuteMs - 5 * minuteMs
    rows = generate({ fromMs: toMs - 12 * minuteMs, toMs })
    range = `from=${toMs - 15 * minuteMs}&to=${toMs + minuteMs}`
    await Promise.all([sendAll([embedded.url], [embedded.url]), sendAll(fleet.collectorUrls(), fleet.queryUrls())])
  })
  after(async () => {
    await Promise.all([embedded?.stop(), fleet?.stop()])
    await fleet?.kill()
  })

  /** In two turns, so that the second meets minutes that are stored already; each with a part of the other's again. */
  async function sendAll(urls: readonly string[], queries: readonly string[]): Promise<void> {
    const isEarly = ({ ts }: Row): boolean => Math.floor(ts / 1_000) % 3 !== 0
    const early = rows.filter(isEarly)
    const late = [...rows.filter((row) => !isEarly(row)), ...rows.slice(0, 500)]
    for (const { turn, stored } of [
      { turn: early, stored: early.length },
      { turn: late, stored: rows.length },
    ]) {
      const size = urls.length === 1 ? 700 : 900
      for (let start = 0; start < turn.length; start += size) {
        const samples = turn.slice(start, start + size)
        const answer = await fetch(`${urls[(start / size) % urls.length]}/v1/samples`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ samples }),
        })
        const text = await answer.text()
        assert.equal(answer.status, 202, text)
        assert.deepEqual((JSON.parse(text) as { rejected: unknown[] }).rejected, [], text)
      }
      await Promise.all(queries.map((url) => awaitStored(url, stored)))
    }
  }

  /** Until all hosts together have so many samples. */
  async function awaitStored(url: string, expected: number): Promise<void> {
    const giveUpAtMs = Date.now() + settleDeadlineMs
    for (let count = -1; count !== expected; await delay(pollMs)) {
      assert.ok(Date.now() < giveUpAtMs, `${url} has ${count} of ${expected} samples`)
      const answers = await Promise.all(
        hosts.map((host) => fetch(`${url}/v1/servers/${host}/series?${range}&agg=count`)),
      )
      const bodies = await Promise.all(answers.map((answer) => (answer.ok ? answer.json() : { series: [] })))
      const counts = (bodies as SeriesAnswer[]).flatMap(({ series }) => series.flatMap((each) => each.count ?? []))
      count = counts.reduce<number>((sum, one) => sum + (one ?? 0), 0)
    }
  }

  /** Body, ETag and media type from all three; retried while minutes close or late parts are on their way. */
  async function assertSame(path: string, accept = 'application/json'): Promise<string> {
    const urls = [embedded.url, ...fleet.queryUrls()]
    const giveUpAtMs = Date.now() + settleDeadlineMs
    for (;;) {
      const answers = await Promise.all(urls.map((url) => ask(url + path, accept)))
      const [first, ...others] = answers
      if (others.every((answer) => answer === first) && first !== undefined) return first
      if (Date.now() > giveUpAtMs) for (const other of others) assert.equal(other, first, path)
      await delay(pollMs)
    }
  }

  test('a range of a server: every column of every step', async () => {
    for (const host of hosts) {
      const body = await assertSame(`/v1/servers/${host}/series?${range}&stepMs=60000`)
      const { series } = JSON.parse(body.slice(body.indexOf('\n') + 1)) as SeriesAnswer
      const count = series.flatMap((each) => each.count ?? []).reduce<number>((sum, one) => sum + (one ?? 0), 0)
      assert.equal(count, rows.filter(({ serverId }) => serverId === host).length, host)
    }
  })

  test('coarser steps, filters and aggregations', async () => {
    await assertSame(`/v1/servers/web-1/series?${range}&stepMs=300000`)
    await assertSame(`/v1/servers/web-1/series?${range}&stepMs=120000&metricId=app.*&agg=avg,sum`)
    await assertSame(`/v1/servers/db-1/series?${range}&stepMs=60000&metricId=disk.used&label.device=sdb`)
  })

  test('CSV and NDJSON', async () => {
    await assertSame(`/v1/servers/web-2/series?${range}&stepMs=60000`, 'text/csv')
    await assertSame(`/v1/servers/web-2/series?${range}&stepMs=60000`, 'application/x-ndjson')
  })

  test('a metric across servers, with quantiles', async () => {
    await assertSame(`/v1/metrics/disk.used/series?${range}&stepMs=60000`)
    await assertSame(`/v1/metrics/app.latency/series?${range}&stepMs=300000&order=max:desc&limit=3&quantile=0.5,0.95`)
  })

  test('servers, and the metrics of a server', async () => {
    await assertSame('/v1/servers')
    for (const host of hosts) await assertSame(`/v1/servers/${host}/metrics`)
  })

  test('with Redis full, flushed and gone', async (context) => {
    const paths = hosts.map((host) => `/v1/servers/${host}/series?${range}&stepMs=60000`)
    const readsByResult = async (): Promise<string> => {
      const rows = (await Promise.all(fleet.queryUrls().map(scrape))).flat()
      const reads = rows.filter(({ name }) => name === 'minutely_ring_reads_total')
      return reads.map(({ labels, value }) => `${labels['result']} ${value}`).join(', ')
    }
    for (const path of paths) await assertSame(path)
    const before = await readsByResult()
    context.diagnostic(`questions to the ring: ${before}`)
    assert.match(before, /(covered|partly) [1-9]/, 'the ring answered')
    await redisCommand(servers.redisUrl, 'FLUSHALL')
    for (const path of paths) await assertSame(path)
    await redisCommand(servers.redisUrl, 'SHUTDOWN NOSAVE').catch(() => {})
    for (const path of paths) await assertSame(path)
    context.diagnostic(`and in the end: ${await readsByResult()}`)
  })
})

async function ask(url: string, accept: string): Promise<string> {
  const answer = await fetch(url, { headers: { accept } })
  const heads = [answer.status, answer.headers.get('content-type'), answer.headers.get('etag')]
  return `${heads.join(' ')}\n${await answer.text()}`
}

/** About two thirds of the seconds; integers in some series, two decimals in others, negative ones too. */
function generate({ fromMs, toMs }: { fromMs: number; toMs: number }): Row[] {
  const random = generator(7)
  const rows: Row[] = []
  for (let ts = fromMs; ts < toMs; ts += 1_000) {
    for (const serverId of hosts) {
      for (const [index, series] of seriesOfHost.entries()) {
        if (random() < 0.35) continue
        const integer = Math.floor(random() * 2_000_000) - 1_000_000
        rows.push({
          serverId,
          ...series,
          ts: ts + Math.floor(random() * 1_000),
          value: index % 2 ? integer / 100 : integer,
        })
      }
    }
  }
  return rows
}

/** mulberry32. */
function generator(start: number): () => number {
  let state = start | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
