/**
 * What is watched and counted across processes: a viewer of a metric at either query API sees the same closed minute, and both say what all
 * collectors took and refused. Waits for one minute to close.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type IngestAnswer, ingestAnswer } from '@minutely/schema/ingest-wire'
import { type LiveMetricMinute, liveMetricMinute } from '@minutely/schema/live-wire'
import { DistributedFleet } from '../src/fleet/distributed-fleet.ts'
import { takeLogFolder, takeServers } from './fleet-fixture.ts'

describe('live streams and ingest health of many processes', { timeout: 240_000 }, () => {
  let fleet: DistributedFleet
  const abort = new AbortController()

  before(async () => {
    const [servers, logDir] = [await takeServers(), await takeLogFolder()]
    fleet = new DistributedFleet({ collectors: 2, aggregators: 2, queryApis: 2, servers, logDir })
    await fleet.start()
  })
  after(async () => {
    abort.abort()
    await fleet?.stop()
    await fleet?.kill()
  })

  async function post(url: string | undefined, samples: unknown[]): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/samples`, { method: 'POST', headers, body: JSON.stringify({ samples }) })
    assert.ok([202, 422].includes(answer.status), await answer.text())
  }

  const row = (serverId: string, value: unknown, ts = Date.now()) => ({ serverId, metricId: 'watched', value, ts })

  /** The first closed minute with samples that a viewer of the metric is shown. */
  async function watch(url: string): Promise<LiveMetricMinute> {
    for (;;) {
      const response = await fetch(`${url}/v1/metrics/watched/live?quantile=0.5&limit=3`, { signal: abort.signal })
      // Nobody has stored the metric yet.
      if (response.status === 404) {
        await delay(500)
        continue
      }
      let text = ''
      for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
        text += chunk
        for (const [, data] of text.matchAll(/^event: minute\nid: \d+\ndata: (.*)\n\n/gm)) {
          const minute = liveMetricMinute.parse(JSON.parse(data ?? ''))
          if (minute.samples.count > 0) return minute
        }
      }
    }
  }

  async function untilIngest(url: string, holds: (answer: IngestAnswer) => boolean): Promise<IngestAnswer> {
    for (;;) {
      const answer = ingestAnswer.parse(await (await fetch(`${url}/v1/ingest?stepMs=60000`)).json())
      if (holds(answer)) return answer
      await delay(500)
    }
  }

  test('each query API shows the same minute, and what all collectors took and refused', async () => {
    const [one, two] = fleet.collectorUrls()
    const ts = Date.now()
    await post(one, [row('web-1', 1, ts), row('web-2', 2, ts), row('web-2', 'x'), row('web-3', 5, 7)])
    await post(two, [row('web-3', 6, ts), row('web-4', 4, ts), row('web-1', null)])
    const minutes = await Promise.all(fleet.queryUrls().map(watch))
    assert.deepEqual(minutes[0], minutes[1])
    assert.deepEqual(
      minutes[0]?.ranking.map(({ serverId, value }) => [serverId, value]),
      [
        ['web-3', 6],
        ['web-4', 4],
        ['web-2', 2],
      ],
    )
    assert.deepEqual([minutes[0]?.across.avg, minutes[0]?.quantiles[0]?.value], [3.25, 3])
    const total = (counts: readonly (number | null)[]) => counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
    for (const url of fleet.queryUrls()) {
      const answer = await untilIngest(url, ({ accepted, rejected }) => total(accepted) >= 4 && rejected.length === 2)
      assert.equal(total(answer.accepted), 4)
      assert.deepEqual(answer.hosts.map(({ host, total: count }) => `${host} ${count}`).sort(), [
        'web-1 1',
        'web-2 1',
        'web-3 1',
      ])
      assert.deepEqual(
        answer.sources
          .filter(({ accepted }) => accepted > 0)
          .map(({ accepted, rejected }) => [accepted, rejected])
          .sort(),
        [
          [2, 1],
          [2, 2],
        ],
      )
      assert.ok(answer.lag.partitionCount > 0)
    }
  })
})
