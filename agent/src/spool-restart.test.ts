/** Of the queue and its spool, on simulated files: what must not be forgotten, renamed, overwritten or dropped across starts and requests. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { Registry } from 'prom-client'
import type { Batch } from './batch.ts'
import { BatchQueue } from './batch-queue.ts'
import { createSpoolMetrics } from './metrics.ts'
import { createSimulatedSpoolFiles, type SimulatedSpoolFiles } from './simulated-spool-files.ts'
import { Spool } from './spool.ts'

const startMs = 1_764_028_800_000
const request = { batchesMax: 30, seriesMax: 4000, bytesMax: 1_000_000 }
const cpu = { series: { metricId: 'cpu', labels: {} }, value: 0.5 }
const minute = 60_000

interface StartOptions {
  readonly serverId?: string
  readonly nowMs?: number
  /** Of its wall clock. */
  readonly aheadMs?: number
  readonly spoolBytesMax?: number
  readonly spoolAgeMsMax?: number
}

/** Another process on the same files. */
function start(
  files: SimulatedSpoolFiles,
  {
    serverId = 'web-17',
    nowMs = startMs,
    aheadMs = 0,
    spoolBytesMax = 1 << 20,
    spoolAgeMsMax = 10 * minute,
  }: StartOptions = {},
) {
  const time = { nowMs }
  const dropped: [startMs: number, reason: string][] = []
  const monotonicMs = (): number => time.nowMs - nowMs
  const metrics = createSpoolMetrics(new Registry(), { spool: () => ({ bytes: 0, batches: 0, isWritable: true }) })
  const queue = new BatchQueue(
    { queueBytesMax: 1 << 20, queueAgeMaxMs: 10 * minute },
    { monotonicMs, onDrop: (batch, reason) => dropped.push([batch.startMs, reason]) },
  )
  const spool = new Spool(
    { serverId, spoolBytesMax, spoolAgeMsMax },
    { files, log: silentLog, metrics, monotonicMs, nowMs: () => time.nowMs },
  )
  // Of the wall clock alone.
  const wall = { aheadMs }
  const recovered = queue.attach(spool, { nowMs: () => time.nowMs + wall.aheadMs })
  return { queue, spool, time, wall, dropped, recovered }
}

/** As many as if shuffled nothing and failed nothing. */
const soundFiles = (): SimulatedSpoolFiles => createSimulatedSpoolFiles(() => 0.5)

function batch(atMs: number, valueBytes = 120): Batch {
  const block = {
    startMs: atMs,
    stepMs: 1000,
    slotCount: 15,
    series: new Uint8Array(8),
    values: randomBytes(valueBytes),
  }
  return { block, seriesCount: 1, sampleCount: 15 }
}

/** A process that gathered two seconds and was killed. */
function leaveCell(files: SimulatedSpoolFiles): void {
  const { spool } = start(files)
  for (const second of [0, 1]) spool.journal(startMs + second * 1_000, [cpu])
}

const namesIn = (files: SimulatedSpoolFiles): string[] =>
  files
    .list()
    .map(({ name }) => name)
    .sort()

describe('what an earlier run had gathered', () => {
  it('stays in its file while the disk takes nothing, and is found by every start until it does', () => {
    const files = soundFiles()
    leaveCell(files)
    files.capacityBytes = files.bytes
    for (const which of ['second', 'third']) assert.equal(start(files).recovered, 2, `by the ${which} start`)
    files.capacityBytes = Number.POSITIVE_INFINITY
    assert.equal(start(files).recovered, 2)
    assert.deepEqual(namesIn(files), ['0000000002.segment'], 'a batch now')
  })

  it('is of the host it was gathered on, also when it is written on by a process of another name', () => {
    const files = soundFiles()
    leaveCell(files)
    assert.equal(start(files, { serverId: 'web-18' }).recovered, 2)
    const { queue, recovered } = start(files, { serverId: 'web-18' })
    assert.equal(recovered, 2)
    assert.deepEqual(
      queue.lease(request).map(({ serverId }) => serverId),
      ['web-17'],
    )
  })

  it('is not written to by a later run: numbers go on after those of all files', () => {
    const files = soundFiles()
    leaveCell(files)
    files.append('0000000007.cell', files.read('0000000001.cell', { offset: 0, length: 1 << 20 }))
    files.remove('0000000001.cell')
    files.capacityBytes = files.bytes
    const { spool, time } = start(files)
    files.capacityBytes = Number.POSITIVE_INFINITY
    time.nowMs += 5 * minute
    spool.journal(time.nowMs, [cpu])
    const [older, newer, ...more] = namesIn(files)
    assert.equal(older, '0000000007.cell')
    assert.match(newer ?? '', /^000000000[89]\.cell$/)
    assert.deepEqual(more, [])
    assert.equal(start(files, { nowMs: time.nowMs }).recovered, 3)
  })
})

describe('a batch on its way', () => {
  it('is not dropped for its age, in memory or on disk, but when it comes back', () => {
    for (const files of [soundFiles(), undefined]) {
      const { queue, time, dropped } = files === undefined ? withoutSpool() : start(files)
      queue.keep(batch(startMs))
      const leased = queue.lease(request)
      assert.equal(leased.length, 1)
      time.nowMs += 11 * minute
      queue.keep(batch(startMs + 11 * minute))
      assert.deepEqual(dropped, [])
      queue.release(leased)
      assert.deepEqual(dropped, [[startMs, files === undefined ? 'queue-age' : 'spool-age']])
    }
  })

  it('stays in memory when its room on disk is needed, and is counted once', () => {
    const files = soundFiles()
    const { queue, spool, dropped } = start(files, { spoolBytesMax: 8_000 })
    queue.keep(batch(startMs, 800))
    const leased = queue.lease(request)
    for (let index = 1; index < 12; index++) queue.keep(batch(startMs + index * 15_000, 800))
    assert.ok(spool.load.bytes <= 8_000)
    assert.ok(dropped.length > 0 && dropped.every(([, reason]) => reason === 'spool-bytes'))
    assert.ok(!dropped.some(([at]) => at === startMs), 'others went')
    queue.forget(leased)
    assert.ok(!dropped.some(([at]) => at === startMs), 'it was delivered')
    assert.equal(dropped.length + queue.load.batches, 11)
  })
})

it('what waits behind another batch is synced, so that a power cut takes the newest at most', async () => {
  const files = soundFiles()
  const synced: number[] = []
  files.sync = async () => void synced.push(files.bytes)
  const { queue, spool } = start(files)
  queue.keep(batch(startMs))
  await spool.settled()
  assert.deepEqual(synced, [], 'about to be acknowledged')
  for (const later of [1, 2]) {
    queue.keep(batch(startMs + later * 15_000))
    await spool.settled()
    assert.equal(synced.length, later)
    assert.equal(synced.at(-1), files.bytes, 'after it was written')
  }
})

function withoutSpool(): Pick<ReturnType<typeof start>, 'queue' | 'time' | 'dropped'> {
  const time = { nowMs: startMs }
  const dropped: [startMs: number, reason: string][] = []
  const queue = new BatchQueue(
    { queueBytesMax: 1 << 20, queueAgeMaxMs: 10 * minute },
    { monotonicMs: () => time.nowMs, onDrop: (one, reason) => dropped.push([one.startMs, reason]) },
  )
  return { queue, time, dropped }
}

describe('a start with a clock a day ahead', () => {
  const dayMs = 86_400_000

  function restarted(): ReturnType<typeof start> {
    const files = soundFiles()
    const { queue } = start(files)
    for (const index of [0, 1, 2]) queue.keep(batch(startMs + index * 15_000))
    return start(files, { nowMs: startMs + minute, aheadMs: dayMs, spoolAgeMsMax: 60 * minute })
  }

  it('drops nothing that is young by the clock as it is some minutes later, nor by any step after that', () => {
    const { queue, time, wall, dropped } = restarted()
    assert.deepEqual([queue.load.batches, dropped.length], [3, 0])
    time.nowMs += 5 * minute
    wall.aheadMs = 0
    time.nowMs += 6 * minute
    const leased = queue.lease(request)
    assert.equal(leased.length, 3)
    queue.release(leased)
    wall.aheadMs = dayMs
    queue.keep(batch(time.nowMs))
    assert.equal(dropped.length, 0)
  })

  it('drops what is old, if the clock stays so, when it had time to be set', () => {
    const { queue, time, dropped } = restarted()
    time.nowMs += 9 * minute
    queue.keep(batch(time.nowMs))
    assert.equal(dropped.length, 0)
    time.nowMs += 2 * minute
    queue.keep(batch(time.nowMs))
    assert.equal(dropped.length, 3)
    assert.ok(dropped.every(([, reason]) => reason === 'spool-age'))
  })
})
