/** Hours that are sealed with everything that can come in between: what is stored is always the union of what was given. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { lockTiers } from '@minutely/lib/minute-tiers/tier-query'
import type { Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import fc from 'fast-check'
import { type Break, failingPool } from '../failing-pool.ts'
import { storedTable } from '../minute-model.ts'
import { SlicePacker } from './pack-slice.ts'
import type { SealPoint } from './seal-hour.ts'
import {
  createTestSealer,
  hotRows,
  hourAtMs,
  hourMs,
  lateData,
  modelOf,
  type Part,
  ramp,
  rolledHours,
  SealingOwner,
  sealStates,
  storedHours,
  type TestSealer,
  wholeHour,
} from './test-sealing.ts'

async function createStored(closedThroughMs?: number): Promise<{ pool: Pool; owner: SealingOwner }> {
  const { pool } = await createTestDatabase()
  const owner = new SealingOwner(pool)
  await owner.store(wholeHour, closedThroughMs)
  return { pool, owner }
}

async function blockCount(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('select count(*)::integer as n from hour_block')
  return rows[0]?.n ?? 0
}

/** Past the time after which an hour is tried again. */
async function lookAgain(sealer: TestSealer): Promise<void> {
  await sealer.clock.advance(16 * 60_000)
  await sealer.look()
}

describe('sealing', () => {
  it('packs hours that are over for long enough, drops their rows, and leaves what is stored as it was', async () => {
    const { pool } = await createStored()
    const before = await storedTable(pool)
    const sealer = createTestSealer(pool)
    await sealer.look()
    // 09:00; 08:59 and 10:00 are in hours of their own.
    assert.deepEqual(await sealStates(pool), { [-1]: 'sealed', 0: 'sealed', 1: 'sealed' })
    assert.deepEqual([await hotRows(pool), await blockCount(pool)], [-1, 8])
    assert.deepEqual(await storedTable(pool), before)
    assert.deepEqual(before, modelOf(wholeHour))
    await sealer.stop()
  })

  it('waits until every minute of the hour is closed for long enough', async () => {
    const { pool, owner } = await createStored(hourAtMs + 2 * hourMs - 1)
    const sealer = createTestSealer(pool)
    await sealer.look()
    assert.deepEqual(await sealStates(pool), { [-1]: 'sealed' })
    await owner.store(wholeHour, hourAtMs + 2 * hourMs)
    await sealer.look()
    assert.deepEqual(await sealStates(pool), { [-1]: 'sealed, dirty', 0: 'sealed' })
    await sealer.stop()
  })

  it('never seals an hour past the retention, nor any when it is turned off', async () => {
    const { pool } = await createStored()
    const sealers = [createTestSealer(pool, { retentionHours: 1 }), createTestSealer(pool, { sealAfterMinutes: 0 })]
    for (const sealer of sealers) {
      await sealer.look()
      assert.deepEqual(await sealStates(pool), {})
      await sealer.stop()
    }
  })

  it('merges late data with what is sealed, once, and seals it again after a while', async () => {
    const { pool, owner } = await createStored()
    const sealer = createTestSealer(pool)
    await sealer.look()
    const stored = await owner.store(lateData)
    const expected = modelOf(wholeHour, lateData)
    assert.deepEqual(await storedTable(pool), expected)
    // Of a nothing is new.
    assert.deepEqual([stored.mergedRows, await hotRows(pool)], [15, 10])
    await sealer.look()
    assert.equal((await sealStates(pool))[0], 'sealed, dirty', 'not before its time')
    await lookAgain(sealer)
    assert.deepEqual([(await sealStates(pool))[0], await hotRows(pool), await blockCount(pool)], ['sealed', -1, 9])
    assert.deepEqual(await storedTable(pool), expected)
    await sealer.stop()
  })

  it('of an hour that comes again from the log changes nothing', async () => {
    const { pool, owner } = await createStored()
    const sealer = createTestSealer(pool)
    await sealer.look()
    const again = await owner.store(wholeHour)
    assert.deepEqual([again.mergedRows, again.lateSamples, await hotRows(pool)], [again.rows, 0, -1])
    assert.deepEqual(await storedTable(pool), modelOf(wholeHour))
    await lookAgain(sealer)
    assert.equal(await hotRows(pool), -1)
    assert.deepEqual(await storedTable(pool), modelOf(wholeHour))
    await sealer.stop()
  })

  it('leaves no empty table behind when a flush made it and had nothing new', async () => {
    const { pool } = await createStored()
    const sealer = createTestSealer(pool)
    await sealer.look()
    // A process that has not seen the hour yet.
    await new SealingOwner(pool).store(wholeHour)
    assert.equal(await hotRows(pool), 0)
    await lookAgain(sealer)
    assert.equal(await hotRows(pool), -1)
    await pool.query(
      "create table minute_block_2027011509 partition of minute_block for values from ('2027-01-15 09:00Z') to ('2027-01-15 10:00Z')",
    )
    await sealer.look()
    assert.equal(await hotRows(pool), -1)
    await sealer.stop()
  })

  it('tells the ring the whole minutes that late data has made of sealed ones', async () => {
    const { pool, owner } = await createStored()
    const sealer = createTestSealer(pool)
    await sealer.look()
    await pool.query("update ring_state set run_id = 'r'")
    const { ring } = await owner.store(lateData)
    // Of the first minute: b, d, a. All of a is sealed, five seconds came again.
    const bits = (BigInt(ring.merged.seenHigh[2] ?? 0) << 32n) | BigInt(ring.merged.seenLow[2] ?? 0)
    assert.deepEqual([ring.copied.count, ring.merged.count], [0, 15])
    assert.equal(bits, (1n << 60n) - 1n)
    await sealer.stop()
  })
})

const points: readonly SealPoint[] = ['begun', 'slice', 'packed', 'finished']
const early = Object.keys(modelOf(wholeHour)).filter((key) => key.includes('T08:59'))
const expectedOf = (...parts: readonly Part[]) =>
  Object.fromEntries(Object.entries(modelOf(...parts)).filter(([key]) => !early.includes(key)))

/** Without 08:59, so that 09:00 is the first hour that is sealed. */
async function createFromNine(): Promise<{ pool: Pool; owner: SealingOwner }> {
  const created = await createStored()
  await created.pool.query('drop table minute_block_2027011508')
  return created
}

async function assertSealed(pool: Pool, ...parts: readonly Part[]): Promise<void> {
  assert.deepEqual([(await sealStates(pool))[0], await hotRows(pool)], ['sealed', -1])
  assert.deepEqual(await storedTable(pool), expectedOf(...parts))
  assert.deepEqual(await storedHours(pool), await rolledHours(pool))
}

describe('late data between the steps of sealing', () => {
  for (const point of points) {
    it(`is stored once when it comes after “${point}”, and packed later`, async () => {
      const { pool, owner } = await createFromNine()
      let times = 0
      const reached = async (at: SealPoint): Promise<void> => {
        assert.deepEqual(await storedTable(pool), times === 0 ? expectedOf(wholeHour) : expectedOf(wholeHour, lateData))
        if (at !== point || times++ > 0) return
        await owner.store(lateData)
      }
      const sealer = createTestSealer(pool, { reached })
      await sealer.look()
      assert.deepEqual(await storedTable(pool), expectedOf(wholeHour, lateData))
      assert.ok((await hotRows(pool)) > 0, 'what is not packed is hot')
      await lookAgain(sealer)
      await assertSealed(pool, wholeHour, lateData)
      await sealer.stop()
    })
  }

  it('is the whole minute, whatever comes in whatever order between whatever sealings (property)', async () => {
    const { pool } = await createTestDatabase()
    const part = fc.record({
      minute: fc.integer({ min: 0, max: 3 }),
      name: fc.constantFrom('a', 'b'),
      first: fc.integer({ min: 0, max: 59 }),
      count: fc.integer({ min: 1, max: 70 }),
      value: fc.integer({ min: -9_999, max: 9_999 }),
    })
    const steps = fc.array(fc.option(part, { nil: 'seal' as const, freq: 3 }), { minLength: 2, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        for (const table of ['minute_block', 'hour_block', 'day_block', 'hour_seal', 'partition_progress'])
          await pool.query(`delete from ${table}`)
        const owner = new SealingOwner(pool)
        const sealer = createTestSealer(pool)
        const stored: Part[] = []
        for (const step of list) {
          if (step === 'seal') await lookAgain(sealer)
          else {
            const { minute, name, first, count, value } = step
            const startMs = hourAtMs + minute * 60_000 + first * 1_000
            stored.push({ startMs, rows: [{ name, values: ramp(count, value) }] })
            await owner.store(stored.at(-1) as Part)
          }
          assert.deepEqual(await storedTable(pool), modelOf(...stored))
          const hours = await storedHours(pool)
          assert.deepEqual({ ...hours, ...(await rolledHours(pool)) }, hours)
        }
        await sealer.stop()
      }),
      { numRuns: 15 },
    )
  })
})

describe('a sealer that ends', () => {
  for (const point of points) {
    it(`after “${point}” leaves an hour that the next one seals`, async () => {
      const { pool } = await createFromNine()
      const reached = async (at: SealPoint): Promise<void> => {
        if (at === point) throw new Error('killed')
      }
      await assert.rejects(createTestSealer(pool, { reached }).look(), /killed/)
      assert.deepEqual(await storedTable(pool), expectedOf(wholeHour))
      const heir = createTestSealer(pool)
      await untilLeader(heir, pool)
      await assertSealed(pool, wholeHour)
      await heir.stop()
    })
  }

  const statements = [
    'insert into hour_seal',
    'create table hour_block',
    'copy hour_block',
    'copy day_block',
    "update hour_seal set state = 'sealed'",
    'drop table',
  ]
  for (const statement of [...statements, 'commit']) {
    for (const when of ['before', 'after'] as const) {
      // COPY is handed a stream; what it did is unknown until the commit after it.
      if (statement.startsWith('copy') && when === 'after') continue
      it(`because its connection breaks ${when} “${statement}” leaves an hour that the next one seals`, async () => {
        const { pool } = await createFromNine()
        const breaks: Break[] = [{ statement, when }]
        await assert.rejects(createTestSealer(pool, { pool: failingPool(pool, breaks) }).look(), /broke/)
        assert.deepEqual([breaks, await storedTable(pool)], [[], expectedOf(wholeHour)])
        const heir = createTestSealer(pool)
        await untilLeader(heir, pool)
        await assertSealed(pool, wholeHour)
        await heir.stop()
      })
    }
  }

  it('in its sleep, and wakes when another has sealed the hour with late data, changes nothing', async () => {
    const { pool, owner } = await createFromNine()
    const heir = createTestSealer(pool)
    let slept = false
    const reached = async (at: SealPoint): Promise<void> => {
      if (at !== 'slice' || slept) return
      slept = true
      await pool.query(
        `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = 7070004 and granted`,
      )
      await owner.store(lateData)
      await untilLeader(heir, pool)
    }
    await assert.rejects(createTestSealer(pool, { reached }).look())
    await assertSealed(pool, wholeHour, lateData)
    await heir.stop()
  })

  it('not: of two only one seals', async () => {
    const { pool } = await createFromNine()
    const second = createTestSealer(pool)
    const reached = async (): Promise<void> => {
      const before = await sealStates(pool)
      await second.look()
      assert.deepEqual(await sealStates(pool), before)
    }
    const first = createTestSealer(pool, { reached })
    await first.look()
    await assertSealed(pool, wholeHour)
    await first.stop()
    await second.stop()
  })
})

/** The lock of who came before ends with its connection, a moment later; then what it had begun is tried again. */
async function untilLeader(heir: TestSealer, pool: Pool): Promise<void> {
  while ((await sealStates(pool))[0] !== 'sealed' || (await hotRows(pool)) !== -1) await lookAgain(heir)
}

describe('whoever reads while an hour is sealed', () => {
  it('keeps its minutes until it is done; then they are dropped', async () => {
    const { pool } = await createFromNine()
    const reader = await pool.connect()
    await reader.query(`begin; ${lockTiers}`)
    const clock = new VirtualClock(hourAtMs + 3 * hourMs)
    let pauses = 0
    clock.sleep = async (durationMs) => {
      assert.ok(durationMs > 0)
      pauses++
      const { rows } = await reader.query(`select series_id from minute where minute_at = $1`, [new Date(hourAtMs)])
      assert.equal(rows.length, 2)
      if (pauses === 2) await reader.query('commit')
    }
    const sealer = createTestSealer(pool, { clock })
    await sealer.look()
    assert.equal(pauses, 2)
    await assertSealed(pool, wholeHour)
    reader.release()
    await sealer.stop()
  })
})

describe('an hour that cannot be packed', () => {
  const codec = { encoder: new HourBlockEncoder(), decoder: new HourBlockDecoder() }
  const encodeFirst = codec.encoder.encode.bind(codec.encoder)

  it('stays as it is, is counted, and tried again after a while', async () => {
    const { pool } = await createFromNine()
    let isBroken = true
    const encoder = {
      encode: (...[columns, at]: Parameters<typeof encodeFirst>) => {
        const other = { ...columns, sum: isBroken ? columns.sum.map((value) => value + 1) : columns.sum }
        return encodeFirst(other, at)
      },
    }
    const sealer = createTestSealer(pool, { packer: new SlicePacker({ ...codec, encoder }) })
    await sealer.look()
    await sealer.look()
    assert.deepEqual(await sealer.failures(), { compare: 2 }, 'each hour once')
    assert.deepEqual([(await sealStates(pool))[0], await blockCount(pool)], ['sealing', 0])
    assert.deepEqual(await storedTable(pool), expectedOf(wholeHour))
    isBroken = false
    await lookAgain(sealer)
    await assertSealed(pool, wholeHour)
    await sealer.stop()
  })

  it('because it has seconds that no minute has stays as it is', async () => {
    const { pool } = await createFromNine()
    await pool.query('update minute_block set block = set_byte(block, 0, 32) where minute_at = $1', [
      new Date(hourAtMs),
    ])
    const before = await storedTable(pool)
    const sealer = createTestSealer(pool)
    await sealer.look()
    assert.deepEqual(await sealer.failures(), { outside: 1 })
    assert.deepEqual(await storedTable(pool), before)
    await sealer.stop()
  })

  it('because its block is damaged takes no late data, and says which it is', async () => {
    const { pool, owner } = await createFromNine()
    const sealer = createTestSealer(pool)
    await sealer.look()
    await pool.query("update hour_block set block = '\\x63' where hour = $1", [hourAtMs / hourMs])
    await assert.rejects(owner.store(lateData), { name: 'UnreadableHourError', hour: hourAtMs / hourMs })
    assert.equal(await hotRows(pool), -1)
    await sealer.stop()
  })
})

describe('retention', () => {
  it('drops days of blocks whole, with what is known of their hours, and not before', async () => {
    const { pool, owner } = await createFromNine()
    const sealer = createTestSealer(pool)
    await sealer.look()
    const midnightMs = Date.UTC(2027, 0, 16)
    assert.deepEqual(await owner.dropExpired({}, midnightMs + 48 * hourMs - 1), [])
    await assertSealed(pool, wholeHour)
    assert.deepEqual(await owner.dropExpired({}, midnightMs + 48 * hourMs), ['hour_block_20270115'])
    assert.deepEqual([await sealStates(pool), await storedTable(pool)], [{}, {}])
    await sealer.stop()
  })
})
