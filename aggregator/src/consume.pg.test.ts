import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { encodeSampleRecord } from '@minutely/schema/sample-codec'
import { ConsumerRig, type RigOptions, type Running, rigStartMs } from './consumer-rig.ts'
import { type Break, failingPool } from './failing-pool.ts'
import { sectionOf, storedTable, tenantId } from './minute-model.ts'

const cpu = { metricId: 'cpu', labels: {} }
const disk = { metricId: 'disk', labels: { device: 'sda' } }
const rigs: ConsumerRig[] = []
after(async () => {
  for (const rig of rigs) await rig.stop()
})

async function createRig(options: RigOptions = {}, partitionCount = 1): Promise<ConsumerRig> {
  const rig = new ConsumerRig(await createTestDatabase(), options, partitionCount)
  rigs.push(rig)
  return rig.start()
}

const ramp = (length: number, from = 1): number[] => Array.from({ length }, (_, index) => (from + index) / 10)
const everySecond = (startMs: number) => ({ startMs, stepMs: 1_000 })

/** One host sends its last 15 s, as agents do; the clock moves on by as much. */
async function sendAndAdvance(rig: ConsumerRig, hosts: readonly { name: string; skewMs?: number }[]): Promise<void> {
  const nowMs = rig.clock.nowMs()
  await rig.clock.advance(15_000)
  for (const { name, skewMs = 0 } of hosts) {
    const rows = [
      { series: cpu, values: ramp(15) },
      { series: disk, values: ramp(15, 500) },
    ]
    await rig.send(name, everySecond(nowMs + skewMs), rows)
  }
}

test('samples become minutes, across the hour, and a replay of everything changes nothing', async () => {
  const rig = await createRig()
  const running = rig.begin()
  for (let step = 0; step < 24; step++) {
    await sendAndAdvance(rig, [{ name: 'a' }, { name: 'b' }])
    await running.step()
  }
  await rig.drain(running)
  await rig.assertExact()
  assert.equal(await rig.merged('merge'), 0)
  await running.crash()
  await rig.pool.query('update log_group set position = 0')
  await rig.pool.query('update partition_progress set position = 0')
  const again = rig.begin()
  await rig.drain(again)
  await rig.assertExact()
  await again.crash()
})

test('a single sample, then silence: its minute closes within 15 s of its end and the lateness', async () => {
  const rig = await createRig()
  const running = rig.begin()
  await running.step()
  await rig.send('a', everySecond(rigStartMs + 30_000), [{ series: cpu, values: [5] }])
  await running.step()
  const endMs = rigStartMs + minuteMs
  while (running.consumer.windows.open.length > 0) {
    assert.ok(rig.clock.nowMs() <= endMs + 25_000, 'still open')
    await rig.clock.advance(1_000)
    await running.step()
    const { completeThroughMs } = running.consumer
    assert.ok(completeThroughMs <= rig.clock.nowMs() - 10_000, 'complete before its time')
  }
  await rig.assertExact()
  await running.crash()
})

test('a pause between asking and the answer closes nothing that was appended meanwhile', async () => {
  const rig = await createRig()
  const running = rig.begin()
  await rig.send('a', everySecond(rigStartMs), [{ series: cpu, values: [5] }])
  await running.step()
  // The process sleeps for a quarter of an hour while its read, which finds nothing, is under way.
  await rig.clock.advance(15 * minuteMs)
  await running.step()
  assert.ok(running.consumer.completeThroughMs < rigStartMs + minuteMs)
  await running.step()
  assert.ok(running.consumer.completeThroughMs >= rigStartMs + minuteMs)
  await running.crash()
})

test("hosts an hour ahead and behind neither close nor cut other hosts' minutes", async () => {
  const rig = await createRig()
  const running = rig.begin()
  const hosts = [{ name: 'ahead', skewMs: 60 * minuteMs }, { name: 'good' }, { name: 'behind', skewMs: -60 * minuteMs }]
  for (let step = 0; step < 60; step++) {
    await sendAndAdvance(rig, hosts)
    await running.step()
    const { open } = running.consumer.windows
    assert.ok(open.filter(({ late }) => !late).length <= 8)
    assert.ok(open.filter(({ late }) => late).length <= 8)
    assert.ok(running.consumer.completeThroughMs <= rig.clock.nowMs())
  }
  const late = (await rig.metrics.lateSamples.get()).values[0]?.value
  assert.ok((late ?? 0) <= 60 * 30, `${late} late samples, more than those of the host that is behind`)
  // The good host's: 15 minutes of 2 series, all copied in one piece but the open ones.
  const { rows } = await rig.pool.query(
    `select count(*)::int as n from minute join series using (series_id)
     where server_id = 'good' and bit_count(seen::bit(64)) = 60`,
  )
  assert.ok(rows[0].n >= 13 * 2, `${rows[0].n} whole minutes`)
  assert.ok((await rig.merged('copy')) >= 13 * 2)
  await rig.drain(running)
  await rig.assertExact()
  await running.crash()
})

test('late samples are merged into what is stored', async () => {
  const rig = await createRig()
  const running = rig.begin()
  await rig.send('a', everySecond(rigStartMs), [{ series: cpu, values: ramp(20) }])
  await rig.clock.advance(3 * minuteMs)
  await rig.drain(running)
  await rig.send('a', everySecond(rigStartMs + 10_000), [{ series: cpu, values: ramp(30, 11) }])
  await rig.send('b', everySecond(rigStartMs), [{ series: cpu, values: ramp(3) }])
  await rig.drain(running)
  await rig.assertExact()
  assert.equal((await rig.metrics.lateSamples.get()).values[0]?.value, 20 + 3)
  await running.crash()
})

test('an unreadable record is skipped and counted, a damaged section too, and their neighbours survive', async () => {
  const rig = await createRig()
  const running = rig.begin()
  await rig.send('before', everySecond(rigStartMs), [{ series: cpu, values: ramp(5) }])
  await rig.append(Buffer.from([99, 1, 2, 3]))
  await rig.append(Buffer.alloc(0))
  await rig.append(encodeSampleRecord({ receivedAtMs: 0, sections: [] }).subarray(0, 2))
  const good = (serverId: string) => sectionOf(serverId, everySecond(rigStartMs), [{ series: cpu, values: ramp(5) }])
  const bad = [
    { ...good('bad'), stepMs: -1_000 },
    { ...good('bad'), startMs: 8_700_000_000_000_000 },
    { ...good('bad'), values: good('bad').values.subarray(8) },
    { ...good('bad'), series: Buffer.from([255]) },
    { ...good('bad'), serverId: 'nul\u0000' },
  ]
  for (const section of bad) {
    await rig.append(encodeSampleRecord({ receivedAtMs: 0, sections: [good('left'), section, good('right')] }))
  }
  for (const serverId of ['left', 'right']) {
    rig.model.add(serverId, everySecond(rigStartMs), [{ series: cpu, values: ramp(5) }])
  }
  await rig.send('after', everySecond(rigStartMs), [{ series: cpu, values: ramp(5) }])
  await rig.clock.advance(2 * minuteMs)
  await rig.drain(running)
  await rig.assertExact()
  const { values } = await rig.metrics.records.get()
  const counts = Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]))
  assert.deepEqual(counts, { read: 2, damaged: bad.length, unreadable: 3 })
  await running.crash()
})

test('what cannot be read is set aside, with where it was and why, before the log forgets it', async () => {
  const rig = await createRig({ apart: true })
  const running = rig.begin()
  await rig.send('before', everySecond(rigStartMs), [{ series: cpu, values: ramp(5) }])
  await rig.append(Buffer.from([99, 1, 2, 3]))
  const bad = { ...sectionOf('bad', everySecond(rigStartMs), [{ series: cpu, values: ramp(5) }]), stepMs: -1_000 }
  await rig.append(encodeSampleRecord({ receivedAtMs: 0, sections: [bad] }))
  await rig.send('after', everySecond(rigStartMs), [{ series: cpu, values: ramp(5) }])
  await rig.clock.advance(2 * minuteMs)
  await rig.drain(running)
  await rig.assertExact()
  const letters = await Array.fromAsync(rig.log.deadLetters.list())
  assert.deepEqual(
    letters.map(({ topic, partition, position, reason }) => ({ topic, partition, position, reason })),
    [
      { topic: 'minutely.samples', partition: 0, position: 1, reason: 'undecodable' },
      { topic: 'minutely.samples', partition: 0, position: 2, reason: 'damaged-section' },
    ],
  )
  assert.deepEqual([...(letters[0]?.payload ?? [])], [99, 1, 2, 3])
  assert.match(String(letters[1]?.detail), /default bad: a grid of 5 slots of -1000 ms/)
  await running.crash()
})

test('a partition that nobody has read for a while is not called complete beyond its first record', async () => {
  const rig = await createRig({ apart: true })
  await rig.send('a', everySecond(rigStartMs), [{ series: cpu, values: ramp(30) }])
  await rig.clock.advance(10 * minuteMs)
  await rig.send('a', everySecond(rigStartMs + 9 * minuteMs), [{ series: cpu, values: ramp(30) }])
  // Stops in the transaction that makes the first series known, as a reader might ask in that moment.
  const running = rig.begin(
    failingPool(rig.pool, [{ statement: 'insert into server', when: 'before' }], () => running.abort.abort()),
  )
  await running.step()
  await running.done
  const { rows } = await rig.pool.query('select complete_through_at as at from partition_progress')
  assert.equal(rows.length, 1)
  assert.ok(rows[0].at.getTime() <= rigStartMs, `complete through ${rows[0].at.toISOString()}`)
  const next = rig.begin()
  await rig.drain(next)
  await rig.assertExact()
  await next.crash()
})

test('a section of very many slots and no series is set aside at once', async () => {
  const rig = await createRig()
  const running = rig.begin()
  const hollow = { ...sectionOf('a', everySecond(rigStartMs), []), stepMs: 60_000, slotCount: 2_100_000_000 }
  await rig.append(encodeSampleRecord({ receivedAtMs: 0, sections: [hollow] }))
  await running.step()
  const [letter] = await Array.fromAsync(rig.log.deadLetters.list())
  assert.match(String(letter?.detail), /no series/)
  await running.crash()
})

/** Another log on the same database, as after a topic was deleted and made anew, or as retention leaves it. */
async function withOtherLog(rig: ConsumerRig, change: (rig: ConsumerRig) => Promise<unknown>): Promise<ConsumerRig> {
  await rig.stop()
  await change(rig)
  const next = new ConsumerRig({ pool: rig.pool, connection: rig.connection }, { apart: true })
  rigs.push(next)
  next.model = rig.model
  await next.clock.advance(rig.clock.nowMs() - rigStartMs)
  return next.start()
}

async function gapsOf(rig: ConsumerRig): Promise<unknown[]> {
  const text = 'select partition, from_position::int, to_position::int, reason from log_gap order by gap_id'
  return (await rig.pool.query(text)).rows
}

test('a log that begins anew is a recorded gap; what it has is read from its start, now and after a restart', async () => {
  const rig = await createRig({ apart: true })
  const first = rig.begin()
  for (let step = 0; step < 10; step++) {
    await sendAndAdvance(rig, [{ name: 'a' }])
    await first.step()
  }
  await rig.drain(first)
  await first.crash()
  const anew = await withOtherLog(rig, ({ pool }) =>
    pool.query('truncate log_record, log_partition, log_group restart identity'),
  )
  for (let round = 0; round < 2; round++) {
    const running = anew.begin()
    for (let step = 0; step < 3; step++) {
      await sendAndAdvance(anew, [{ name: 'b' }])
      await running.step()
    }
    await running.step()
    await anew.drain(running)
    await anew.assertExact(`round ${round}`)
    await running.crash()
  }
  assert.deepEqual(await gapsOf(anew), [anewGap])
})

/** Read on from the commit, of which a log that is made anew has none. */
const anewGap = { partition: 0, from_position: 0, to_position: 0, reason: 'rewound' }

test('a log that was made anew and filled past the position is found out, also by a database that has forgotten it', async () => {
  const rig = await createRig({ apart: true })
  const first = rig.begin()
  for (let step = 0; step < 10; step++) {
    await sendAndAdvance(rig, [{ name: 'a' }])
    await first.step()
  }
  await rig.drain(first)
  await first.crash()
  const takeOver = await keepStandby(rig)
  const anew = await withOtherLog(rig, ({ pool }) =>
    pool.query('truncate log_record, log_partition, log_group restart identity'),
  )
  // More than was ever read of the old one.
  for (let record = 0; record < 15; record++) await sendAndAdvance(anew, [{ name: 'b' }])
  const drain = async (): Promise<void> => {
    const running = anew.begin()
    // Maybe a gap.
    await running.step()
    await anew.drain(running)
    await anew.assertExact()
    await running.crash()
  }
  await drain()
  assert.deepEqual(await gapsOf(anew), [anewGap])
  await drain()
  assert.equal((await gapsOf(anew)).length, 1)
  // As it was before anybody knew: the position in the old log, and what proves that it is in the old log.
  await takeOver()
  await drain()
  assert.deepEqual(await gapsOf(anew), [anewGap, { ...anewGap, from_position: 10 }])
})

test('records that the retention dropped unread are a recorded gap', async () => {
  const rig = await createRig({ apart: true })
  const first = rig.begin()
  await sendAndAdvance(rig, [{ name: 'a' }])
  await rig.clock.advance(2 * minuteMs)
  await rig.drain(first)
  await first.crash()
  const { model } = rig
  // Sent, acknowledged, and dropped before anybody read it.
  const lost = encodeSampleRecord({ receivedAtMs: 0, sections: [sectionOf('a', everySecond(rigStartMs), [])] })
  for (let record = 0; record < 5; record++) await rig.append(lost)
  const later = await withOtherLog(rig, ({ pool }) => pool.query('delete from log_record where position < 4'))
  later.model = model
  const running = later.begin()
  await sendAndAdvance(later, [{ name: 'b' }])
  await running.step()
  await later.drain(running)
  await later.assertExact()
  assert.deepEqual(await gapsOf(later), [{ partition: 0, from_position: 1, to_position: 4, reason: 'retention' }])
  await running.crash()
})

test('one batch that spans very many minutes stays within the bounds of memory', async () => {
  const bytesMax = 1 << 20
  const rig = await createRig({ config: { windowBytesMax: bytesMax } })
  const running = rig.begin()
  await running.step()
  let highest = 0
  const fold = running.consumer.windows.fold.bind(running.consumer.windows)
  running.consumer.windows.fold = (...args) => {
    const counts = fold(...args)
    highest = Math.max(highest, running.consumer.windows.bytes)
    return counts
  }
  for (let minute = 0; minute < 200; minute++) {
    const series = Array.from({ length: 30 }, (_, n) => ({ series: { ...cpu, labels: { n: `${n}` } }, values: [1] }))
    await rig.send('a', everySecond(rigStartMs - minute * minuteMs), series)
  }
  await running.step()
  assert.ok(highest < bytesMax * 1.1, `${highest} bytes`)
  await rig.clock.advance(2 * minuteMs)
  await rig.drain(running)
  await rig.assertExact()
  await running.crash()
})

test('a viewer never sees a minute as final before it is closed and whole', async () => {
  const rig = await createRig({ config: { openMinutesMax: 2 } })
  const running = rig.begin()
  const seen: LiveMinute[] = []
  const unwatch = rig.live.watch({ tenantId, serverId: 'good' }, (minute) => seen.push(minute))
  for (let step = 0; step < 40; step++) {
    await sendAndAdvance(rig, [{ name: 'good' }, { name: 'ahead', skewMs: 30 * minuteMs }])
    // Its minutes are given out early, and the rest of them as another part.
    if (step % 8 === 0)
      await rig.send('good', everySecond(rig.clock.nowMs() + 4 * minuteMs), [{ series: cpu, values: [1] }])
    await running.step()
  }
  await rig.drain(running)
  unwatch()
  await rig.assertExact()
  const table = await storedTable(rig.pool)
  assert.ok(seen.length > 5)
  for (const minute of seen) {
    for (const { metricId, sum, count } of minute.series) {
      const key = Object.keys(table).find(
        (key) => key.startsWith(`good ${metricId}`) && key.endsWith(new Date(minute.minuteMs).toISOString()),
      )
      const row = table[key ?? '']
      assert.deepEqual({ sum, count }, { sum: row?.sum, count: row?.seen.replaceAll('.', '').length })
    }
    assert.ok(minute.minuteMs + minuteMs <= minute.completeThroughMs)
  }
  await running.crash()
})

test('after a restart, the rest of a minute of which a part is stored is not shown as the whole', async () => {
  const config = { openMinutesMax: 1 }
  const rig = await createRig({ config })
  const seen: LiveMinute[] = []
  rig.live.watch({ tenantId, serverId: 'a' }, (minute) => seen.push(minute))
  const first = rig.begin()
  await rig.send('a', everySecond(rigStartMs), [{ series: cpu, values: ramp(10) }])
  const [one, two] = [cpu, disk].map((series) => ({ series, values: ramp(60) }))
  assert.ok(one && two)
  await rig.send('a', everySecond(rigStartMs + minuteMs), [one, two])
  await first.step()
  await first.crash()
  assert.equal(Object.keys(await storedTable(rig.pool)).length, 1, 'the smaller minute was given out early')
  config.openMinutesMax = 8
  const second = rig.begin()
  await rig.send('a', everySecond(rigStartMs + 10_000), [{ series: cpu, values: ramp(10) }])
  await rig.drain(second)
  await rig.assertExact()
  assert.deepEqual(
    seen.map((minute) => minute.minuteMs),
    [rigStartMs + minuteMs],
  )
  await second.crash()
})

test('a viewer that throws does not stop the partition', async () => {
  const rig = await createRig()
  const running = rig.begin()
  rig.live.watch({ tenantId, serverId: 'a' }, () => {
    throw new Error('the viewer is gone')
  })
  await sendAndAdvance(rig, [{ name: 'a' }])
  await rig.clock.advance(2 * minuteMs)
  await rig.drain(running)
  await rig.assertExact()
  await running.crash()
})

const points: Break[] = [
  { statement: 'begin', when: 'before' },
  { statement: 'begin', when: 'after' },
  { statement: 'insert into minute_block', when: 'before' },
  { statement: 'insert into minute_block', when: 'after' },
  { statement: 'insert into partition_progress', when: 'before' },
  { statement: 'insert into partition_progress', when: 'after' },
  { statement: 'commit', when: 'before' },
  { statement: 'commit', when: 'after' },
]

for (const apart of [false, true]) {
  const where = apart ? 'log apart' : 'log in the same database'
  test(`Postgres fails at any point of a flush, the process lives (${where}): exact`, async () => {
    const rig = await createRig({ apart })
    const breaks: Break[] = []
    const running = rig.begin(failingPool(rig.pool, breaks))
    for (const point of points) {
      breaks.push(point, point)
      for (let step = 0; step < 5; step++) {
        await sendAndAdvance(rig, [{ name: 'a' }, { name: 'b' }])
        await running.step()
      }
      assert.deepEqual(breaks, [], 'the flush came by')
    }
    await rig.drain(running)
    await rig.assertExact()
    await running.crash()
  })

  test(`the process dies at any point of a flush (${where}): exact`, async () => {
    const rig = await createRig({ apart })
    for (const point of points) {
      const running = rig.begin(failingPool(rig.pool, [point], () => running.abort.abort()))
      while (!running.abort.signal.aborted) {
        await sendAndAdvance(rig, [{ name: 'a' }, { name: 'b' }])
        await running.step()
      }
      await running.done
      // The log may forget only what the store holds.
      const { rows } = await rig.pool.query(
        'select log_group.position <= coalesce(max(kept.position), 0) as behind from log_group left join partition_progress kept using (partition) group by log_group.position',
      )
      assert.deepEqual(rows, [{ behind: true }], `${point.when} ${point.statement}`)
    }
    const running = rig.begin()
    await rig.drain(running)
    await rig.assertExact()
    await running.crash()
  })
}

/** @returns what brings back all that is stored as it is now. */
async function keepStandby({ pool }: ConsumerRig): Promise<() => Promise<void>> {
  const tables = ['minute_block', 'series', 'server', 'partition_progress']
  for (const table of tables) await pool.query(`create table kept_${table} as select * from ${table}`)
  return async () => {
    for (const table of tables) {
      await pool.query(`truncate ${table}`)
      await pool.query(`insert into ${table} overriding system value select * from kept_${table}`)
    }
  }
}

test('Postgres loses its last commits while the consumer runs: it starts again from there, exact', async () => {
  const rig = await createRig({ apart: true })
  const running = rig.begin()
  for (let step = 0; step < 10; step++) {
    await sendAndAdvance(rig, [{ name: 'a' }])
    await running.step()
  }
  const takeOver = await keepStandby(rig)
  const { rows } = await rig.pool.query('select max(series_id) + 1 as next from series')
  for (let step = 0; step < 10; step++) {
    await sendAndAdvance(rig, [{ name: 'b' }, { name: 'a' }])
    await running.step()
  }
  // Two minutes behind; the ids it gives out have been given out before.
  await takeOver()
  await rig.pool.query(`alter table series alter series_id restart with ${rows[0].next}`)
  for (let step = 0; step < 10; step++) {
    await sendAndAdvance(rig, [{ name: 'c' }, { name: 'b' }, { name: 'a' }])
    await running.step()
  }
  await rig.drain(running)
  await rig.assertExact()
  await running.crash()
})

test('what Postgres has lost is stored and told to the ring again, whoever dies in between: the commit goes back with it', async () => {
  const rig = await createRig({ apart: true })
  const before = rig.begin()
  const send = async (running: Running): Promise<void> => {
    for (let step = 0; step < 10; step++) {
      await sendAndAdvance(rig, [{ name: 'a' }])
      await running.step()
    }
  }
  await send(before)
  const takeOver = await keepStandby(rig)
  const { rows } = await rig.pool.query('select position::int from partition_progress')
  await send(before)
  await before.crash()
  await takeOver()
  assert.ok(Number(before.log.commits.at(-1)) > rows[0].position, 'the log was to forget what Postgres lost')
  const running = rig.begin()
  await running.step()
  assert.equal(running.log.commits[0], rows[0].position)
  // It may have what is lost, and would keep that beside what is stored again.
  const ring = await rig.pool.query('select run_id, reason from ring_state')
  assert.deepEqual(ring.rows, [{ run_id: null, reason: 'the database lost commits' }])
  await rig.drain(running)
  await rig.assertExact()
  await running.crash()
})

test('an owner that slept while another took over changes nothing when it wakes up', async () => {
  const rig = await createRig({ apart: true })
  const old = rig.begin()
  for (let step = 0; step < 7; step++) {
    await sendAndAdvance(rig, [{ name: 'a' }, { name: 'b' }])
    await old.step()
  }
  const young = rig.begin()
  for (let step = 0; step < 9; step++) {
    await sendAndAdvance(rig, [{ name: 'a' }, { name: 'b' }])
    await young.step()
  }
  const before = (await rig.pool.query('select position, complete_through_at from partition_progress')).rows
  await old.step()
  const afterwards = (await rig.pool.query('select position, complete_through_at from partition_progress')).rows
  assert.ok(Number(afterwards[0].position) >= Number(before[0].position))
  assert.ok(afterwards[0].complete_through_at >= before[0].complete_through_at)
  await Promise.all([old.step(), young.step()])
  await rig.drain(young)
  await rig.drain(old)
  await rig.assertExact()
  await old.crash()
  await young.crash()
})

test('a server that moves to another partition in the middle of a minute: exact', async () => {
  const rig = await createRig({}, 2)
  const consumers = [0, 1].map((partition) => rig.begin(rig.pool, partition))
  for (let step = 0; step < 12; step++) {
    const nowMs = rig.clock.nowMs()
    await rig.clock.advance(10_000)
    // The second partition gets the last seconds of the first once more.
    await rig.send(
      'a',
      everySecond(nowMs - 5_000),
      [{ series: cpu, values: ramp(15).map((_, n) => (nowMs / 1_000 + n - 5) % 997) }],
      step % 2,
    )
    await Promise.all(consumers.map((running) => running.step()))
  }
  for (const running of consumers) await rig.drain(running)
  await rig.assertExact()
  for (const running of consumers) await running.crash()
})

/** Small, seeded: a failure is reproduced by its seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

async function runRandomly(rig: ConsumerRig, random: (below: number) => number): Promise<void> {
  const hosts = [0, 0, 0, 59 * minuteMs, -61 * minuteMs, 3 * minuteMs].map((skewMs, n) => ({ name: `h${n}`, skewMs }))
  const unsent = new Map(hosts.map(({ name }) => [name, rigStartMs]))
  const sent: Parameters<ConsumerRig['send']>[] = []
  const breaks: Break[] = []
  const begin = (): Running => {
    breaks.length = 0
    const running = rig.begin(failingPool(rig.pool, breaks, () => random(2) === 0 && running.abort.abort()))
    return running
  }
  let running = begin()
  for (let tick = 0; tick < 36; tick++) {
    await rig.clock.advance(1_000 * (1 + random(12)))
    const nowMs = Math.floor(rig.clock.nowMs() / 1_000) * 1_000
    for (const { name, skewMs } of hosts) {
      if (random(3) === 0) continue
      const fromMs = unsent.get(name) ?? nowMs
      const length = Math.min(200, (nowMs - fromMs) / 1_000)
      if (length === 0) continue
      const valuesOf = (): (number | null)[] =>
        Array.from({ length }, () => (random(10) === 0 ? null : (random(20_000) - 10_000) / 1_000))
      const rows = [cpu, disk].slice(0, 1 + random(2)).map((series) => ({ series, values: valuesOf() }))
      sent.push([name, everySecond(fromMs + skewMs), rows])
      unsent.set(name, nowMs)
      await rig.send(...(sent.at(-1) as Parameters<ConsumerRig['send']>))
    }
    // A retry, at once or much later.
    if (random(4) === 0 && sent.length > 0) await rig.send(...(sent[random(sent.length)] as (typeof sent)[number]))
    if (random(8) === 0) breaks.push(points[random(points.length)] as Break)
    if (random(4) > 0) await running.step()
    if (random(10) === 0) await running.crash()
    if (running.abort.signal.aborted) {
      await running.done
      running = begin()
    }
  }
  await running.crash()
  running = rig.begin()
  await rig.drain(running)
  await running.crash()
}

const seedsPerTest = 5
for (const apart of [false, true]) {
  for (const first of [1, 6, 11]) {
    const seeds = Array.from({ length: seedsPerTest }, (_, n) => first + n + (apart ? 1_000 : 0))
    test(`random hosts, retries, failures and crashes, seeds from ${seeds[0]}: exact`, async () => {
      const database = await createTestDatabase()
      for (const seed of seeds) {
        const rig = new ConsumerRig(database, { apart, config: { openMinutesMax: seed % 2 === 0 ? 8 : 3 } })
        await rig.start()
        await runRandomly(rig, randomOf(seed))
        await rig.assertExact(`seed ${seed}`)
        await rig.stop()
        await rig.pool.query(
          'truncate minute_block, series, server, partition_progress, log_record, log_group, log_partition restart identity',
        )
      }
    })
  }
}
