/** The order of a flush, seen from its middle: what is stored, told and committed while the ring has not answered; and which anchors are kept. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import type { PushOutcome } from '@minutely/lib/recent-ring/recent-ring'
import { adoptRing, readRingIdentity } from '@minutely/lib/recent-ring/ring-state'
import type { LogAnchor } from '@minutely/lib/sample-log/sample-log'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { ConsumerRig, type RigOptions, type Running, rigStartMs } from './consumer-rig.ts'
import { storedTable, tenantId } from './minute-model.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'

const rigs: ConsumerRig[] = []
after(async () => {
  for (const rig of rigs) await rig.stop()
})

async function createRig(options: RigOptions): Promise<ConsumerRig> {
  const rig = new ConsumerRig(await createTestDatabase(), options)
  rigs.push(rig)
  return rig.start()
}

/** Answers a push when it is told to. */
class HeldRing extends AbsentRecentRing {
  readonly asked = Promise.withResolvers<void>()
  readonly answer = Promise.withResolvers<void>()

  override async push(): Promise<PushOutcome> {
    this.asked.resolve()
    await this.answer.promise
    return 'pushed'
  }
}

const oneSample = (metricId: string) => [{ series: { metricId, labels: {} }, values: [1] }]

test('until the ring has answered the log is not told to forget, and nothing is called complete, though it is stored', async () => {
  const ring = new HeldRing()
  const rig = await createRig({ apart: true, ring })
  await adoptRing(rig.pool, 'a-redis', await readRingIdentity(rig.pool))
  const running = rig.begin()
  const { consumer, log } = running
  const seen: LiveMinute[] = []
  const unwatch = rig.live.watch({ tenantId, serverId: 'a' }, (minute) => seen.push(minute))
  await rig.send('a', { startMs: rigStartMs, stepMs: 1_000 }, oneSample('cpu'))
  await running.step()
  const beforeMs = consumer.completeThroughMs
  const begun = log.commits.length
  assert.ok(beforeMs <= rigStartMs)
  await rig.clock.advance(minuteMs + 20_000)
  await rig.send('a', { startMs: rigStartMs + minuteMs, stepMs: 1_000 }, oneSample('cpu'))
  const step = running.step()
  await ring.asked.promise
  assert.equal(Object.keys(await storedTable(rig.pool)).length, 1, 'it is stored')
  assert.equal(log.commits.length, begun)
  assert.equal(consumer.completeThroughMs, beforeMs)
  assert.deepEqual(
    consumer.storing.map(({ minuteMs: at }) => at),
    [rigStartMs],
    'readers find it in memory',
  )
  assert.deepEqual(seen, [])
  ring.answer.resolve()
  await step
  assert.equal(log.commits.length, begun + 1)
  assert.ok(consumer.completeThroughMs >= rigStartMs + minuteMs)
  assert.deepEqual(consumer.storing, [])
  assert.equal(seen.length, 1)
  unwatch()
  await running.crash()
})

test('the anchor of the last record that was read is kept with what is begun, announced and stored', async () => {
  const rig = await createRig({ apart: true })
  const running = rig.begin()
  const kept: (LogAnchor | undefined)[] = []
  const next = async (metricId: string, advanceMs: number): Promise<Running> => {
    await rig.clock.advance(advanceMs)
    await rig.send('a', { startMs: rig.clock.nowMs(), stepMs: 1_000 }, oneSample(metricId))
    await running.step()
    const { anchor } = await new PostgresMinuteStore(rig.pool).readProgress(rig.partition())
    kept.push(anchor)
    return running
  }
  await next('cpu', 0)
  await next('disk', 1_000)
  await next('disk', minuteMs + 20_000)
  const positions = kept.map((anchor) => anchor?.position ?? Number.NaN)
  const [begun = 0, announced = 0, stored = 0] = positions
  assert.ok(begun < announced, `of a new series: ${positions}`)
  assert.ok(announced < stored, `of a closed minute: ${positions}`)
  assert.equal(kept.at(-1)?.appendedAtMs, rig.clock.nowMs())
  await running.crash()
})
