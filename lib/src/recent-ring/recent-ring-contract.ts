/**
 * What every RecentRing must do, as a suite its implementations' tests call. A ring may always cover less; what it covers must
 * be right. `holds`: this one is expected to hold what was pushed a moment ago.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RecentRing, RingIdentity } from './recent-ring.ts'
import { coveredOf, type TestState, testQuestion, testRows } from './test-rows.ts'

export interface RingUnderTest {
  readonly holds: boolean
  /** An empty ring, its identity, and another instance on the same storage, as another process would have. */
  create(): Promise<{ ring: RecentRing; other: RecentRing; identity: RingIdentity }>
  /** A whole hour, in minutes since the epoch, that is recent for the ring. */
  readonly hourMinute: number
}

export function recentRingContract(name: string, subject: RingUnderTest): void {
  const at = subject.hourMinute
  const range = { from: at - 60, to: at + 120 }

  test(`${name}: what was pushed is covered, with its values, for every reader`, async () => {
    const { ring, other, identity } = await subject.create()
    const states = [
      { seriesId: 1, minute: at, seen: (1n << 60n) - 1n },
      { seriesId: 1, minute: at + 59, seen: 1n },
      { seriesId: 1, minute: at + 60, seen: 1n << 59n },
      { seriesId: 2_147_483_647, minute: at - 1, seen: 0x8000_0001n },
    ]
    const outcome = await ring.push(identity, testRows(states))
    assert.equal(outcome, subject.holds ? 'pushed' : 'dropped')
    const expected = new Map([
      [`0 ${at}`, (1n << 60n) - 1n],
      [`0 ${at + 59}`, 1n],
      [`0 ${at + 60}`, 1n << 59n],
      [`2 ${at - 1}`, 0x8000_0001n],
    ])
    const question = testQuestion([1, 2, 2_147_483_647], range, identity)
    assert.deepEqual(coveredOf(await other.read(question)), subject.holds ? expected : new Map())
  })

  test(`${name}: nothing is covered that was not pushed: another minute, series, tag or identity`, async () => {
    const { ring, identity } = await subject.create()
    await ring.push(identity, testRows([{ seriesId: 1, minute: at, seen: 3n }]))
    const covers = async (question: ReturnType<typeof testQuestion>) => coveredOf(await ring.read(question)).size > 0
    assert.equal(await covers(testQuestion([1], range, identity)), subject.holds)
    assert.equal(await covers(testQuestion([1], { from: at + 1, to: at + 60 }, identity)), false)
    assert.equal(await covers(testQuestion([2], range, identity)), false)
    const foreign = { ...testQuestion([1], range, identity), series: [{ seriesId: 1, tag: 8 }] }
    assert.equal(await covers(foreign), false)
    const later = { ...identity, epoch: String(BigInt(identity.epoch) + 1n) }
    assert.equal(await covers(testQuestion([1], range, later)), false)
    assert.equal(await covers(testQuestion([1], range, { ...identity, runId: 'f'.repeat(40) })), false)
    assert.equal(await covers(testQuestion([1], range, { ...identity, runId: undefined })), false)
  })

  test(`${name}: an older state that comes late does not come back, a newer one replaces`, async () => {
    const { ring, other, identity } = await subject.create()
    const seenAfter = async (): Promise<bigint | undefined> =>
      coveredOf(await ring.read(testQuestion([1], range, identity))).get(`0 ${at}`)
    const push = (by: RecentRing, seen: bigint) => by.push(identity, testRows([{ seriesId: 1, minute: at, seen }]))
    await push(ring, 0b0011n)
    assert.equal(await seenAfter(), subject.holds ? 0b0011n : undefined)
    await push(other, 0b0111n)
    await push(ring, 0b0001n)
    assert.equal(await seenAfter(), subject.holds ? 0b0111n : undefined)
    await push(ring, 0b1001n)
    assert.equal(await seenAfter(), undefined, 'neither has seen all of the other')
    await push(ring, 0b1111n)
    assert.equal(await seenAfter(), subject.holds ? 0b1111n : undefined)
  })

  test(`${name}: pushes in any order, by anybody, twice or in parts, end in the state that has seen all (property)`, async () => {
    const { ring, other, identity } = await subject.create()
    let series = 10
    const state = fc.record({ minute: fc.integer({ min: at + 57, max: at + 62 }), seen: fc.bigInt(1n, 15n) })
    const pushes = fc.array(fc.record({ states: fc.array(state, { maxLength: 6 }), byOther: fc.boolean() }), {
      maxLength: 8,
    })
    await fc.assert(
      fc.asyncProperty(pushes, async (list) => {
        const seriesId = series++
        const union = new Map<number, bigint>()
        const all: TestState[] = []
        for (const { states, byOther } of list) {
          const rows = states.map((one) => ({ ...one, seriesId }))
          await (byOther ? other : ring).push(identity, testRows(rows))
          all.push(...rows)
          for (const { minute, seen } of rows) union.set(minute, (union.get(minute) ?? 0n) | seen)
        }
        const expected = new Map<string, bigint>()
        for (const [minute, seen] of union) {
          if (all.some((one) => one.minute === minute && one.seen === seen)) expected.set(`0 ${minute}`, seen)
        }
        const covered = coveredOf(await other.read(testQuestion([seriesId], range, identity)))
        assert.deepEqual(new Map([...covered].sort()), subject.holds ? new Map([...expected].sort()) : new Map())
      }),
      { numRuns: 60 },
    )
  })

  test(`${name}: the mark is begun once, goes on while it is there`, async () => {
    const { ring, other, identity } = await subject.create()
    assert.equal(await ring.mark(identity, 'nothing to go on from', 'continue'), false)
    assert.equal(await ring.mark(identity, 'a', 'begin'), subject.holds)
    assert.equal(await other.mark(identity, 'b', 'begin'), false)
    assert.equal(await other.marked(identity), subject.holds ? 'a' : undefined)
    assert.equal(await other.mark(identity, 'c', 'continue'), subject.holds)
    assert.equal(await ring.marked(identity), subject.holds ? 'c' : undefined)
  })
}
