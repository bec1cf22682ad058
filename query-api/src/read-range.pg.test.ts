/**
 * The order of reading (read-range.ts): a minute that goes from the aggregator's memory to Postgres while a range is
 * read is in the answer exactly once, and never called final before all of it is in.
 *
 * The aggregator is played by the test: it makes its next move at every possible point of the read, one run each.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { MinuteQuery, MinuteSink } from './minute-copy.ts'
import { provisionalFromMs, type RangeAnswer } from './range-answer.ts'
import { PointBudget } from './range-limits.ts'
import { readRange } from './read-range.ts'
import { StoreSession } from './store-session.ts'
import { createTestApi, defaultConfig, insertSeries, setCompleteThrough, startMs } from './test-api.ts'
import { alignRange } from './time-range.ts'

const at = (minute: number): number => startMs + minute * minuteMs
const range = alignRange({ fromMs: at(0), toMs: at(4) }, minuteMs)
const series = { metricId: 'm', labels: { a: 'b' } }

let api: Awaited<ReturnType<typeof createTestApi>>
before(async () => {
  api = await createTestApi()
})

function openMinute(serverId: string, atMs: number, value: number): LiveMinute {
  const values = { min: value, max: value, avg: value, sum: value, count: 1 }
  return { serverId, minuteMs: atMs, provisional: true, completeThroughMs: at(1), series: [{ ...series, ...values }] }
}

/** Lets `move` happen before and after each question to Postgres. */
class WatchedSession extends StoreSession {
  readonly #move: () => Promise<void>

  constructor(client: PoolClient, move: () => Promise<void>) {
    super(client)
    this.#move = move
  }

  async #around<T>(work: () => Promise<T>): Promise<T> {
    await this.#move()
    const result = await work()
    await this.#move()
    return result
  }

  override completeThroughMs(): Promise<number> {
    return this.#around(() => super.completeThroughMs())
  }

  override findSeries(question: Parameters<StoreSession['findSeries']>[0]) {
    return this.#around(() => super.findSeries(question))
  }

  override readMinutes(query: MinuteQuery, sink: MinuteSink): Promise<number> {
    return this.#around(() => super.readMinutes(query, sink))
  }
}

interface Aggregator {
  readonly serverId: string
  readonly live: LocalLiveChannel
  readonly moves: (() => Promise<void>)[]
}

/**
 * Minute 0 is stored and complete. Minute 1 is open with one sample, and then stored with two (one more came), progressed and
 * forgotten, one move each.
 */
async function createAggregator(serverId: string): Promise<Aggregator> {
  await api.pool.query('delete from partition_progress')
  await insertSeries(api.pool, { serverId, ...series }, [{ atMs: at(0), values: [1] }])
  await setCompleteThrough(api.pool, at(1))
  let open = [openMinute(serverId, at(1), 5)]
  const live = new LocalLiveChannel()
  live.connect({ openMinutes: () => open, completeThroughMs: () => 0 })
  const moves = [
    async () => void (await insertSeries(api.pool, { serverId, ...series }, [{ atMs: at(1), values: [5, 2] }])),
    () => setCompleteThrough(api.pool, at(2)),
    async () => {
      open = []
    },
  ]
  return { serverId, live, moves }
}

async function readWith(aggregator: Aggregator, onMove: () => Promise<void>): Promise<RangeAnswer> {
  const client = await api.reader.connect()
  try {
    const selector = { metricGlobs: [], labelFilters: new Map() }
    return await readRange(
      { serverId: aggregator.serverId, selector, range, aggregations: ['count', 'sum'] },
      {
        session: new WatchedSession(client, onMove),
        ring: new AbsentRecentRing(),
        live: aggregator.live,
        config: defaultConfig,
        budget: new PointBudget(1e6, () => {}),
      },
    )
  } finally {
    client.release()
  }
}

describe('a minute that moves from memory to Postgres during a read', () => {
  // Three moves at six points: every way to place them in order.
  const points = 6
  for (let a = 0; a <= points; a++) {
    for (let b = a; b <= points; b++) {
      for (let c = b; c <= points; c++) {
        it(`is there once when it is stored, complete, forgotten at points ${a}, ${b}, ${c}`, async () => {
          const aggregator = await createAggregator(`s-${a}-${b}-${c}`)
          const due = [a, b, c]
          let point = 0
          const answer = await readWith(aggregator, async () => {
            for (; due[0] === point; due.shift()) await aggregator.moves.shift()?.()
            point++
          })
          assert.equal(point, points, 'the read asks Postgres three questions')
          const [count] = answer.matrix.column(0, 'count').slice(1)
          assert.ok(count === 1 || count === 2, `minute 1 has ${count} samples`)
          assert.deepEqual(answer.matrix.column(0, 'sum'), [1, count === 1 ? 5 : 7, null, null])
          const provisionalMs = provisionalFromMs(range, answer.completeThroughMs) ?? 0
          assert.ok(provisionalMs === at(1) || provisionalMs === at(2))
          if (provisionalMs === at(2)) assert.equal(count, 2, 'what is called final has all its samples')
        })
      }
    }
  }
})

describe('a partition that begins during a read', () => {
  const points = 6
  for (let begins = 0; begins <= points; begins++) {
    for (let announces = begins; announces <= points; announces++) {
      it(`makes nothing final of a series that it announces: at points ${begins} and ${announces}`, async () => {
        const serverId = `begins-${begins}-${announces}`
        await api.pool.query('delete from partition_progress')
        await insertSeries(api.pool, { serverId, metricId: 'other', labels: {} }, [{ atMs: at(0), values: [1] }])
        await setCompleteThrough(api.pool, at(4))
        const moves: [number, () => Promise<unknown>][] = [
          [begins, () => setCompleteThrough(api.pool, at(1), 1)],
          [announces, () => insertSeries(api.pool, { serverId, ...series }, [])],
        ]
        let point = 0
        const live = new LocalLiveChannel()
        live.connect({ openMinutes: () => [], completeThroughMs: () => 0 })
        const answer = await readWith({ serverId, live, moves: [] }, async () => {
          for (const [when, move] of moves) if (when === point) await move()
          point++
        })
        const isListed = answer.rows.some(({ metricId }) => metricId === series.metricId)
        const provisionalMs = provisionalFromMs(range, answer.completeThroughMs)
        if (isListed) assert.equal(provisionalMs, at(1), 'its open minutes are not called final')
      })
    }
  }
})

describe('open minutes', () => {
  it('add series that are not stored yet, and servers', async () => {
    await api.pool.query('delete from partition_progress')
    const live = new LocalLiveChannel()
    live.connect({ openMinutes: () => [openMinute('new-1', at(2), 3)], completeThroughMs: () => at(1) })
    const answer = await readWith({ serverId: 'new-1', live, moves: [] }, async () => {})
    assert.deepEqual(
      answer.rows.map(({ metricId }) => metricId),
      ['m'],
    )
    assert.deepEqual(answer.matrix.column(0, 'sum'), [null, null, 3, null])
    assert.equal(answer.completeThroughMs, at(1))
  })

  it('leave what is stored alone, and what is complete', async () => {
    const serverId = 'late-1'
    await insertSeries(api.pool, { serverId, ...series }, [{ atMs: at(2), values: [1, 1] }])
    const live = new LocalLiveChannel()
    // A late window of a complete minute, and a rest of a minute that was stored early.
    const open = [openMinute(serverId, at(0), 7), openMinute(serverId, at(2), 7), openMinute(serverId, at(3), 7)]
    live.connect({ openMinutes: () => open, completeThroughMs: () => at(1) })
    const answer = await readWith({ serverId, live, moves: [] }, async () => {})
    assert.deepEqual(answer.matrix.column(0, 'sum'), [null, null, 2, 7])
  })

  it('of two owners of a partition count once, the fuller; a stale one changes nothing that is final', async () => {
    const serverId = 'stale-1'
    await api.pool.query('delete from partition_progress')
    await insertSeries(api.pool, { serverId, ...series }, [{ atMs: at(1), values: [4, 4] }])
    await setCompleteThrough(api.pool, at(2))
    const live = new LocalLiveChannel()
    const fuller = openMinute(serverId, at(2), 6)
    const full = { ...fuller, series: fuller.series.map((one) => ({ ...one, count: 9 })) }
    // The successor's, between two of an aggregator that was paused when minute 1 was open and continued.
    const open = [openMinute(serverId, at(1), 1), openMinute(serverId, at(2), 5), full, openMinute(serverId, at(2), 5)]
    live.connect({ openMinutes: () => open, completeThroughMs: () => 0 })
    const answer = await readWith({ serverId, live, moves: [] }, async () => {})
    assert.equal(answer.completeThroughMs, at(2))
    assert.deepEqual(answer.matrix.column(0, 'sum'), [null, 8, 6, null])
    assert.deepEqual(answer.matrix.column(0, 'count'), [null, 2, 9, null])
  })

  it('are not asked for when all of the range is final', async () => {
    const serverId = 'final-1'
    await insertSeries(api.pool, { serverId, ...series }, [{ atMs: at(1), values: [4, 4] }])
    await setCompleteThrough(api.pool, at(4))
    const live = new LocalLiveChannel()
    live.connect({ openMinutes: () => assert.fail('asked'), completeThroughMs: () => 0 })
    const answer = await readWith({ serverId, live, moves: [] }, async () => {})
    assert.deepEqual(answer.matrix.column(0, 'sum'), [null, 8, null, null])
  })
})
