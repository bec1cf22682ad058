/**
 * One topic's append fails while others succeed, at a real broker: one topic is told to take no batch of more than a byte, so that the
 * broker refuses what is appended to it. (Replicas that are wanted and not there would do on three brokers only: Kafka wants no more of
 * them than a topic has.) A request with samples of that topic is refused as a whole, though the others of its samples are in the log by
 * then, again with each try; requests without it go on. Set back, all of it is in its minutes, once.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { ByteReader, ByteWriter } from '@minutely/lib/kafka-log/kafka-bytes'
import { KafkaCluster } from '@minutely/lib/kafka-log/kafka-cluster'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { ownTopic } from '@minutely/lib/kafka-log/topic-names'
import { createLogger } from '@minutely/lib/logging'
import type { SeriesAnswer } from '@minutely/schema/query-wire'
import { DistributedFleet } from '../src/fleet/distributed-fleet.ts'
import type { ServerAddresses } from '../src/fleet/server-addresses.ts'
import { takeLogFolder, takeServers } from './fleet-fixture.ts'

const serverId = 'host-1'
const minuteMs = 60_000
const fromMs = Math.floor(Date.now() / minuteMs) * minuteMs - 5 * minuteMs
const metricIds = ['a.before', 'b.refused', 'c.behind'] as const
type MetricId = (typeof metricIds)[number]
const refused: MetricId = 'b.refused'
const others = metricIds.filter((metricId) => metricId !== refused)
const settleDeadlineMs = 60_000

interface Answer {
  readonly status: number
  readonly retryAfter: string | null
  readonly body: { readonly accepted?: number; readonly error?: string; readonly message?: string }
}

describe('a topic whose appends are refused', { timeout: 240_000 }, () => {
  let servers: ServerAddresses
  let fleet: DistributedFleet
  let kafka: KafkaCluster
  /** Seconds of the minute that were acknowledged, of each metric; the value is the second. */
  const acknowledged = new Map<MetricId, Set<number>>(metricIds.map((metricId) => [metricId, new Set()]))

  before(async () => {
    servers = await takeServers()
    const size = { collectors: 1, aggregators: 1, queryApis: 1 }
    fleet = new DistributedFleet({ ...size, servers, logDir: await takeLogFolder() })
    const config = { ...loadConfig({ kafka: kafkaLogSettings }, {}).kafka, brokers: servers.kafkaBootstrap.split(',') }
    kafka = new KafkaCluster(config, {
      clock: new SystemClock(),
      log: createLogger({ level: 'fatal', format: 'json' }),
    })
    await fleet.start()
    await sendUntilTaken(metricIds, 0)
  })
  after(async () => {
    await fleet?.stop()
    await fleet?.kill()
    const ours = [...(await kafka.topics()).keys()].filter((topic) => topic.startsWith(`${fleet.prefix}.`))
    await kafka.deleteTopics(ours)
    kafka.wire.close()
  })

  test('is a 503 that names it, however often it is sent; requests without it are taken', async () => {
    await setBatchBytesMax(1)
    // The partition's leader has it a little after the answer; second 0 may come as often as it likes.
    while ((await send([refused], 0)).status === 202) await delay(100)
    for (let attempt = 0; attempt < 3; attempt++) {
      const { status, retryAfter, body } = await send(metricIds, 1)
      assert.deepEqual([status, body.error], [503, 'log-unavailable'])
      assert.match(body.message ?? '', /b\.refused\/\d+ at broker \d+: MESSAGE_TOO_LARGE/)
      assert.doesNotMatch(body.message ?? '', /a\.before|c\.behind/)
      assert.ok(Number(retryAfter) >= 2)
    }
    await sendUntilTaken(others, 2)
  })

  test('keeps the others of the same request from no minute, and is in none itself', async () => {
    // Second 1 was never acknowledged, and is there all the same.
    const seconds = new Map<MetricId, readonly number[]>([[refused, [0]]])
    for (const metricId of others) seconds.set(metricId, [0, 1, 2])
    await stored(seconds)
  })

  test('is taken when the broker takes it again: every second is there once', async () => {
    await setBatchBytesMax(usualBytesMax)
    await sendUntilTaken(metricIds, 1)
    await sendUntilTaken([refused], 2)
    await stored(new Map(metricIds.map((metricId) => [metricId, [...(acknowledged.get(metricId) ?? [])]])))
    for (const metricId of metricIds) assert.equal(acknowledged.get(metricId)?.size, 3)
  })

  /** As agents do. */
  async function sendUntilTaken(metrics: readonly MetricId[], second: number): Promise<void> {
    for (const giveUpAtMs = Date.now() + settleDeadlineMs; ; await delay(100)) {
      const { status, body } = await send(metrics, second)
      if (status === 202) return
      assert.ok(Date.now() < giveUpAtMs, `${status} ${body.message}`)
    }
  }

  async function send(metrics: readonly MetricId[], second: number): Promise<Answer> {
    const samples = metrics.map((metricId) => ({ serverId, metricId, value: second, ts: fromMs + second * 1_000 }))
    const answer = await fetch(`${fleet.collectorUrls()[0]}/v1/samples`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ samples }),
    })
    if (answer.status === 202) for (const metricId of metrics) acknowledged.get(metricId)?.add(second)
    const body = (await answer.json()) as Answer['body']
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body }
  }

  /** Until the minute of each metric is exactly that of these seconds. */
  async function stored(seconds: ReadonlyMap<MetricId, readonly number[]>): Promise<void> {
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    const expected = [...seconds].map(([metricId, own]) => {
      return [metricId, Math.min(...own), Math.max(...own), sum(own), own.length]
    })
    for (const giveUpAtMs = Date.now() + settleDeadlineMs; ; await delay(200)) {
      const found = await readMinute()
      if (Date.now() < giveUpAtMs && JSON.stringify(found.sort()) !== JSON.stringify(expected.sort())) continue
      assert.deepEqual(found.sort(), expected.sort())
      return
    }
  }

  /** metric, min, max, sum, count. */
  async function readMinute(): Promise<unknown[][]> {
    const url = `${fleet.queryUrls()[0]}/v1/servers/${serverId}/series?from=${fromMs}&to=${fromMs + minuteMs}`
    const answer = await fetch(url)
    if (!answer.ok) return []
    const { series } = (await answer.json()) as SeriesAnswer
    return series.map(({ metricId, min, max, sum, count }) => [metricId, min?.[0], max?.[0], sum?.[0], count?.[0]])
  }

  /** IncrementalAlterConfigs, version 0, of the refused topic. */
  async function setBatchBytesMax(bytes: number): Promise<void> {
    const topic = ownTopic(fleet.prefix, refused) ?? assert.fail('it has a topic of its own')
    const request = new ByteWriter().int32(1).int8(topicResource).string(topic)
    request.int32(1).string('max.message.bytes').int8(setOperation).string(String(bytes)).int8(0)
    const [host = '', port] = servers.kafkaBootstrap.split(':')
    const link = { host, port: Number(port), purpose: 'alter' }
    const api = { apiKey: 44, apiVersion: 0, apiName: 'IncrementalAlterConfigs' }
    const answer = new ByteReader(await kafka.wire.raw(link, { ...api, body: request.bytes }, 10_000))
    answer.int32()
    assert.equal(answer.int32(), 1)
    assert.equal(answer.int16(), 0, 'the broker refused the setting')
  }
})

const topicResource = 2
const usualBytesMax = 1_048_576
const setOperation = 0
