/** History beside live data, wherever an import is interrupted: what comes out is the union of the seconds of both, each once. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { VirtualClock } from '@minutely/lib/clock'
import type { Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { storedTable } from '../minute-model.ts'
import {
  createTestSealer,
  hourAtMs,
  lateData,
  type Part,
  rolledHours,
  SealingOwner,
  sealStates,
  storedHours,
  wholeHour,
} from '../sealing/test-sealing.ts'
import type { ImportTotals } from './import-counts.ts'
import {
  csvLines,
  importInto,
  nowMs,
  pointsOf,
  type TestPoint,
  tableOf,
  victoriaLines,
  writeHistory,
} from './test-import.ts'

const hourMs = 3_600_000

/** Every `stepMs` from `fromMs` on. */
const history = (name: string, count: number, { fromMs = hourAtMs - 900_000, stepMs = 15_000 } = {}): TestPoint[] =>
  Array.from({ length: count }, (_, index) => ({ name, atMs: fromMs + index * stepMs, value: (index % 97) / 10 }))

/** Three series over five hours and two days, out of order, with some of it twice. */
const mixed: readonly TestPoint[] = [
  ...history('a', 700),
  ...history('b', 400, { stepMs: 30_000 }),
  ...history('a', 200, { fromMs: hourAtMs + 20 * hourMs }),
  ...history('c', 100, { fromMs: hourAtMs - 7_000, stepMs: 1_000 }),
  ...history('a', 300, { fromMs: hourAtMs - 1_800_000 }),
]

const pipeOf = (content: string, chunkBytes = 1_000): Readable => {
  const bytes = Buffer.from(content)
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
    bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  )
  return Readable.from(chunks)
}

async function sealedHours(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('select count(*)::integer as n from hour_block')
  return rows[0]?.n ?? 0
}

/** The hour tier's, as no rows are left that it could be behind of. */
async function hoursOfMinutes(pool: Pool): Promise<Record<string, string>> {
  await pool.query('update hour_seal set dirty = false')
  return rolledHours(pool)
}

const sumOf = ({ added, known, duplicate, conflict, refused }: ImportTotals): number =>
  added + known + duplicate + conflict + Object.values(refused).reduce((sum, count) => sum + count, 0)

/** For pauses of who finds a lock taken. */
async function whileTimeGoesOn<T>(work: Promise<T>, clocks: readonly VirtualClock[]): Promise<T> {
  let isDone = false
  const settled = work.finally(() => {
    isDone = true
  })
  while (!isDone) for (const clock of clocks) await clock.advance(50)
  return settled
}

describe('an import', () => {
  it('makes minutes of what is in a file, as blocks, and changes nothing the second time or in another format', async () => {
    const { pool } = await createTestDatabase()
    const path = writeHistory(victoriaLines(mixed))
    const { totals } = await importInto(pool, { args: [path] })
    assert.deepEqual(await storedTable(pool), tableOf(mixed))
    const { rows } = await pool.query('select count(*)::integer as n from minute')
    assert.equal(rows[0].n, 0)
    assert.equal(totals.read, mixed.length)
    assert.equal(totals.read, sumOf(totals))
    assert.deepEqual(await storedHours(pool), await hoursOfMinutes(pool))
    const unread = await importInto(pool, { args: [path] })
    assert.match(unread.said.join(), /was imported at 2027-.*--again reads it anew and adds only what is missing/)
    for (const args of [['--again', path], [writeHistory(csvLines(mixed))]]) {
      const { totals: more } = await importInto(pool, { args })
      assert.deepEqual([more.added, sumOf(more)], [0, mixed.length])
      assert.deepEqual(await storedTable(pool), tableOf(mixed))
    }
  })

  it('reads gzip, zstd and pipes, and says what cannot be read', async () => {
    const { pool } = await createTestDatabase()
    // More than is looked at to tell the format.
    const all = [...mixed, ...history('d', 12_000, { stepMs: 2_000 })]
    const text = csvLines(all)
    for (const content of [gzipSync(text), zstdCompressSync(text)]) {
      const { totals } = await importInto(pool, { args: [writeHistory(content)], config: { memoryBytesMax: 100_000 } })
      assert.equal(totals.read, all.length)
    }
    const piped = await importInto(pool, { args: ['-'], stdin: pipeOf(text) })
    assert.deepEqual([piped.totals.added, sumOf(piped.totals)], [0, all.length])
    assert.deepEqual(await storedTable(pool), tableOf(all))
    // One that ended in the middle goes on in the middle of what it was compressed from.
    const other = await createTestDatabase()
    const path = writeHistory(gzipSync(text))
    let parts = 0
    const reached = async (point: string): Promise<void> => {
      if (point === 'committed' && ++parts === 2) throw new Error('ended')
    }
    const run = { args: [path], config: { memoryBytesMax: 100_000 } }
    await assert.rejects(importInto(other.pool, { ...run, reached }), /ended/)
    const { totals: whole } = await importInto(other.pool, run)
    assert.deepEqual([whole.read, sumOf(whole)], [all.length, all.length])
    assert.deepEqual(await storedTable(other.pool), tableOf(all))
    const cut = gzipSync(text)
    await assert.rejects(
      importInto(pool, { args: [writeHistory(cut.subarray(0, cut.length - 9))] }),
      /not gzip, or not all/,
    )
    const frames = Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)])
    await assert.rejects(importInto(pool, { args: [writeHistory(frames)] }), /more than one zstd frame/)
    await assert.rejects(importInto(pool, { args: ['/nowhere/at-all'] }), /cannot open/)
    await assert.rejects(importInto(pool, { args: [writeHistory('?')] }), /say it with --format/)
  })

  it('counts what it cannot take, keeps the rest, and says how much of which', async () => {
    const { pool } = await createTestDatabase()
    const good = history('a', 50)
    const lines = [
      ...csvLines(good).trimEnd().split('\n'),
      'no line',
      `${hourAtMs},server,a b,1`,
      `${nowMs - 60 * hourMs},server,a,1`,
      `${nowMs + hourMs},server,a,1`,
      `${hourAtMs},server,a,${'1'.repeat(2_000)}`,
      `${hourAtMs + 2_000},server,a,7`,
    ]
    const { totals, said } = await importInto(pool, {
      args: [writeHistory(lines.join('\n'))],
      config: { lineBytesMax: 1_024 },
    })
    assert.deepEqual(await storedTable(pool), tableOf([...good, { name: 'a', atMs: hourAtMs + 2_000, value: 7 }]))
    assert.deepEqual(totals.refused, {
      'line-unreadable': 1,
      'metric-id-invalid': 1,
      'time-too-old': 1,
      'time-in-future': 1,
      'line-too-long': 1,
    })
    assert.equal(totals.lines, lines.length)
    assert.match(said.join('\n'), /refused +5\n.*line-unreadable +1/s)
    assert.match(said.join('\n'), /line 52: line-unreadable: it has 1 fields, the header 4/)
  })

  it('knows servers and series from their first point on, and makes nothing newer than it was', async () => {
    const { pool } = await createTestDatabase()
    await new SealingOwner(pool).store(wholeHour)
    await importInto(pool, { args: [writeHistory(csvLines(history('a', 10, { fromMs: hourAtMs - 2 * hourMs })))] })
    const { rows } = await pool.query('select first_seen_at from series where metric_id = $1', ['a'])
    assert.equal(rows[0].first_seen_at.getTime(), hourAtMs - 2 * hourMs)
    const { rows: servers } = await pool.query('select first_seen_at, last_seen_at from server')
    assert.equal(servers[0].first_seen_at.getTime(), hourAtMs - 2 * hourMs)
    assert.equal(servers[0].last_seen_at.getTime(), hourAtMs + hourMs + 60_000)
  })
})

describe('minutes that retention has dropped', () => {
  it('are left out where the hour tier has their hour, and counted as that', async () => {
    const { pool } = await createTestDatabase()
    const owner = new SealingOwner(pool)
    await owner.store(wholeHour, hourAtMs + 100 * hourMs)
    const sealer = createTestSealer(pool)
    await sealer.look()
    await sealer.stop()
    const later = hourAtMs + 90 * hourMs
    assert.notDeepEqual(await owner.dropExpired({}, later), [])
    const hours = await storedHours(pool)
    // The retention was raised, and they are brought back from elsewhere.
    const points = pointsOf(wholeHour)
    const run = { config: { retentionHours: 9_600 }, clock: new VirtualClock(later) }
    const { totals } = await importInto(pool, { args: [writeHistory(victoriaLines(points))], ...run })
    assert.deepEqual([totals.added, totals.known, totals.read], [0, 0, sumOf(totals)])
    assert.deepEqual(totals.refused, { 'minutes-dropped': totals.read - totals.duplicate - totals.conflict })
    assert.deepEqual(await storedHours(pool), hours)
  })
})

describe('an import that ends anywhere', () => {
  const small = { memoryBytesMax: 1_000 }
  class Ended extends Error {}

  /** @returns how many points of the program there are to end it at, when `at` is past them. */
  async function runUpTo(pool: Pool, at: number, path: string): Promise<{ ended: boolean; count: number }> {
    let count = 0
    const reached = async (): Promise<void> => {
      if (count++ === at) throw new Ended()
    }
    try {
      await importInto(pool, { args: [path], reached, config: small })
      return { ended: false, count }
    } catch (error) {
      assert.ok(error instanceof Ended, String(error))
      return { ended: true, count }
    }
  }

  it('goes on there: nothing is missing or twice, and each point is counted once', async () => {
    const text = csvLines(mixed)
    const whole = await createTestDatabase()
    const path = writeHistory(text)
    const { totals: wanted } = await importInto(whole.pool, { args: [path], config: small })
    const { count } = await runUpTo((await createTestDatabase()).pool, Number.POSITIVE_INFINITY, path)
    assert.ok(count > 40, `only ${count} places to end at`)
    const { pool } = await createTestDatabase()
    // Each place of the first batches, then every fifth.
    for (let at = 0; at < count; at += at < 20 ? 1 : 5) {
      await pool.query(
        'truncate import_file, hour_block, day_block, sealed_count, hour_seal, series, server, minute_block restart identity cascade',
      )
      assert.equal((await runUpTo(pool, at, path)).ended, true)
      const { totals } = await importInto(pool, { args: [path], config: small })
      assert.deepEqual(totals, wanted, `ended at ${at}`)
      if (at % 4 === 0) assert.deepEqual(await storedTable(pool), tableOf(mixed), `ended at ${at}`)
    }
  })

  it('again and again comes to its end all the same, also from a pipe', async () => {
    const { pool } = await createTestDatabase()
    const text = csvLines([...mixed, ...history('d', 6_000, { stepMs: 1_000 })])
    let runs = 0
    for (let isEnded = true; isEnded; runs++) {
      let count = 0
      const reached = async (): Promise<void> => {
        if (count++ === 11) throw new Ended()
      }
      isEnded = await importInto(pool, { args: ['-'], stdin: pipeOf(text, 7_001), reached, config: small }).then(
        () => false,
        (error) => {
          assert.ok(error instanceof Ended, String(error))
          return true
        },
      )
    }
    assert.ok(runs > 5, `only ${runs} runs`)
    assert.deepEqual(await storedTable(pool), tableOf([...mixed, ...history('d', 6_000, { stepMs: 1_000 })]))
    assert.deepEqual(await storedHours(pool), await hoursOfMinutes(pool))
  })

  it('waits for another process at the same file, and says so when that does not end', async () => {
    const { pool } = await createTestDatabase()
    const path = writeHistory(csvLines(mixed))
    const clock = new VirtualClock(nowMs)
    const results = await whileTimeGoesOn(
      Promise.allSettled([1, 2].map(() => importInto(pool, { args: [path], clock }))),
      [clock],
    )
    assert.ok(results.some(({ status }) => status === 'fulfilled'))
    for (const one of results) {
      if (one.status === 'rejected') assert.match(String(one.reason), /is being imported by another process/)
    }
    assert.deepEqual(await storedTable(pool), tableOf(mixed))
  })
})

describe('history beside live data', () => {
  /** What `file` says of the hour that `wholeHour` is live in, before and after it. */
  const file: readonly TestPoint[] = [
    ...history('a', 400, { fromMs: hourAtMs - 600_000, stepMs: 7_000 }),
    ...history('b', 3_600, { fromMs: hourAtMs - 60_000, stepMs: 1_000 }),
    ...history('c', 500, { fromMs: hourAtMs + 120_500, stepMs: 9_000 }),
    ...history('new', 900, { fromMs: hourAtMs - 1_000, stepMs: 4_000 }),
  ]
  const live = (part: Part): TestPoint[] => pointsOf(part)

  it('adds the seconds that rows, sealed or not, have not seen', async () => {
    for (const isSealed of [false, true]) {
      const { pool } = await createTestDatabase()
      const owner = new SealingOwner(pool)
      const sealer = createTestSealer(pool)
      await owner.store(wholeHour, hourAtMs + 39 * hourMs)
      if (isSealed) await sealer.look()
      const { totals } = await importInto(pool, { args: [writeHistory(csvLines(file))] })
      const wanted = tableOf([...live(wholeHour), ...file])
      assert.deepEqual(await storedTable(pool), wanted)
      assert.equal(totals.read, sumOf(totals))
      assert.ok(totals.known > 2_000)
      // Late data on top, then all of it sealed.
      await owner.store(lateData, hourAtMs + 39 * hourMs)
      const all = tableOf([...live(wholeHour), ...file, ...live(lateData)])
      assert.deepEqual(await storedTable(pool), all)
      await sealer.clock.advance(hourMs)
      await sealer.look()
      assert.deepEqual(await storedTable(pool), all)
      assert.deepEqual(await storedHours(pool), await hoursOfMinutes(pool))
      const states = Object.values(await sealStates(pool))
      assert.ok(
        states.every((state) => state.startsWith('sealed')),
        states.join(),
      )
      await sealer.stop()
    }
  })

  it('goes into rows where hours are not to be sealed yet', async () => {
    const { pool } = await createTestDatabase()
    const owner = new SealingOwner(pool)
    await owner.store(wholeHour, hourAtMs + 600_000)
    await importInto(pool, { args: [writeHistory(csvLines(file))] })
    assert.deepEqual(await storedTable(pool), tableOf([...live(wholeHour), ...file]))
    assert.equal(await sealedHours(pool), 0)
    await importInto(pool, { args: [writeHistory(victoriaLines(file))] })
    assert.deepEqual(await storedTable(pool), tableOf([...live(wholeHour), ...file]))
  })

  it('stays as it is when a sealer is between its steps, and does not stop it', async () => {
    const values = Array.from({ length: 45 }, (_, second) => second / 10)
    // Of the hour that is sealed first.
    const lateNew: Part = { startMs: hourAtMs - 50_000, rows: [{ name: 'new', values }] }
    for (const place of ['begun', 'slice', 'packed'] as const) {
      const { pool } = await createTestDatabase()
      const owner = new SealingOwner(pool)
      await owner.store(wholeHour, hourAtMs + 39 * hourMs)
      let isFirst = true
      const sealer = createTestSealer(pool, {
        reached: async (point) => {
          if (point !== place || !isFirst) return
          isFirst = false
          await importInto(pool, { args: [writeHistory(csvLines(file))] })
          // Rows of a series that the import brought: the sealer comes to it in its next step.
          await owner.store(lateNew, hourAtMs + 39 * hourMs)
        },
      })
      await sealer.look()
      const wanted = tableOf([...live(wholeHour), ...file, ...live(lateNew)])
      assert.deepEqual(await storedTable(pool), wanted, place)
      await sealer.clock.advance(hourMs)
      await sealer.look()
      assert.deepEqual(await storedTable(pool), wanted, place)
      await sealer.stop()
    }
  })

  it('meets flushes and sealers at any moment', async () => {
    const { pool } = await createTestDatabase()
    const owners = [new SealingOwner(pool, 0), new SealingOwner(pool, 1)]
    // Of a second there is one value, whoever brings it, so that the order does not matter.
    const valueAt = (name: string, atMs: number): number => ((atMs / 1_000) % 991) + name.length
    const liveParts = Array.from({ length: 12 }, (_, index): Part => {
      const startMs = hourAtMs + index * 301_000
      const values = Array.from({ length: 400 }, (_, second) => valueAt('a', startMs + second * 1_000))
      return { startMs, rows: ['a', 'b'].map((name) => ({ name, values })) }
    })
    const historic = ['a', 'b', 'c'].flatMap((name) =>
      history(name, 900, { fromMs: hourAtMs - hourMs, stepMs: 11_000 }).map((point) => ({
        ...point,
        value: valueAt('a', point.atMs),
      })),
    )
    const sealer = createTestSealer(pool)
    await owners[0]?.store(wholeHour, hourAtMs + 39 * hourMs)
    const flushes = owners.map(async (owner, index) => {
      for (const part of liveParts.filter((_, place) => place % 2 === index)) {
        await owner.store(part, hourAtMs + 39 * hourMs)
      }
    })
    const looks = (async () => {
      for (let look = 0; look < 6; look++) {
        await sealer.look()
        await sealer.clock.advance(hourMs)
      }
    })()
    const path = writeHistory(csvLines(historic))
    const clock = new VirtualClock(nowMs)
    const run = importInto(pool, { args: [path], config: { memoryBytesMax: 8_000 }, clock })
    await whileTimeGoesOn(Promise.all([run, looks, ...flushes]), [clock, sealer.clock])
    const stored = await storedTable(pool)
    const wanted = tableOf([...live(wholeHour), ...liveParts.flatMap(live), ...historic])
    const seenOf = (table: typeof stored) =>
      Object.fromEntries(Object.entries(table).map(([key, { seen }]) => [key, seen]))
    assert.deepEqual(seenOf(stored), seenOf(wanted))
    // Where the first of all parts did not have its say, values are the same, too.
    const others = tableOf([...liveParts.flatMap(live), ...historic])
    const firstOnly = new Set(Object.keys(tableOf(live(wholeHour))))
    for (const [key, row] of Object.entries(others)) if (!firstOnly.has(key)) assert.deepEqual(stored[key], row, key)
    await sealer.stop()
  })

  it('voids a ring that would answer without it, and no other', async () => {
    const { pool } = await createTestDatabase()
    const setRing = () => pool.query(`update ring_state set run_id = 'run', epoch = 7`)
    const runId = async () => (await pool.query('select run_id from ring_state')).rows[0].run_id
    await setRing()
    await importInto(pool, { args: [writeHistory(csvLines(history('a', 10)))], config: { ringHours: 12 } })
    assert.equal(await runId(), 'run')
    const path = writeHistory(csvLines(history('a', 10, { fromMs: nowMs - 5 * hourMs })))
    await importInto(pool, { args: [path], config: { ringHours: 12 } })
    assert.equal(await runId(), null)
    await setRing()
    await importInto(pool, { args: ['--again', path], config: { ringHours: 12 } })
    assert.equal(await runId(), 'run')
  })

  it('waits while live minutes lag', async () => {
    const { pool } = await createTestDatabase()
    await new SealingOwner(pool).store(wholeHour, hourAtMs + 39 * hourMs)
    await pool.query(`update partition_progress set updated_at = now(), complete_through_at = now() - interval '300 s'`)
    const waits: number[] = []
    const run = importInto(pool, {
      args: [writeHistory(csvLines(history('a', 10)))],
      config: { liveLagMsMax: 120_000 },
      onWait: async (lagMs) => {
        waits.push(lagMs)
        if (waits.length === 3) await pool.query('update partition_progress set complete_through_at = now()')
      },
    })
    await run
    assert.equal(waits.length, 3)
    assert.ok(waits.every((lagMs) => lagMs >= 300_000))
  })
})
