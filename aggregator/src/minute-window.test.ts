import assert from 'node:assert/strict'
import { test } from 'node:test'
import { minuteMs, secondsPerMinute } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import { CodecError, type SampleSection } from '@minutely/schema/sample-codec'
import fc from 'fast-check'
import { mergeRow } from './merge-minute.ts'
import { type Grid, MinuteModel, type ModelTable, modelKey, rowInWords, sectionOf } from './minute-model.ts'
import { MinuteWindows, type WindowsConfig } from './minute-window.ts'
import type { ClosedMinute } from './open-minute.ts'
import { bitCount, rollUp } from './roll-up.ts'
import { SeriesSlots } from './series-slots.ts'

/** 23:58 UTC, so that the samples cross an hour and a day. */
const baseMs = Date.UTC(2027, 0, 14, 23, 58)
const wide: WindowsConfig = { openMinutesMax: 1_000, lateMinutesMax: 1_000, bytesMax: 1 << 30, lateHoldMs: 2_000 }
const cpu = { metricId: 'cpu', labels: {} }
const disk = { metricId: 'disk', labels: { device: 'sda' } }
const everySecond = (atMs: number): Grid => ({ startMs: atMs, stepMs: 1_000 })

/** Windows with their slots, fed by sections. */
function windowsWith(config: WindowsConfig, closedThroughMs = 0) {
  const slots = new SeriesSlots()
  const windows = new MinuteWindows(config, closedThroughMs)
  const fold = (section: SampleSection, position = 0, trustedMs = baseMs) =>
    windows.fold(section, slots.slotsOf(section), { position, trustedMs })
  return { slots, windows, fold }
}

test('an equal value for a second is a duplicate, another one a conflict, and the first wins', () => {
  const { windows, fold } = windowsWith(wide)
  const section = (values: (number | null)[]) => sectionOf('a', everySecond(baseMs), [{ series: cpu, values }])
  assert.deepEqual(fold(section([1, null, 3])), { folded: 2, duplicate: 0, conflict: 0 })
  assert.deepEqual(fold(section([1, 2, 4])), { folded: 1, duplicate: 1, conflict: 1 })
  const [minute] = windows.closeUpTo(baseMs + minuteMs, baseMs)
  assert.ok(minute)
  const { min, max, sum, seenLow, seenHigh } = rollUp(minute)
  assert.deepEqual([min[0], max[0], sum[0], seenLow[0], seenHigh[0]], [1, 3, 6, 0b111, 0])
})

test('a gap is not a zero, a zero is not a gap, and there is only one zero', () => {
  const { windows, fold } = windowsWith(wide)
  fold(sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [null, -0, null, 0] }]))
  const [minute] = windows.closeUpTo(baseMs + minuteMs, baseMs)
  assert.ok(minute)
  const rolled = rollUp(minute)
  assert.equal(rolled.seenLow[0], 0b1010)
  assert.deepEqual([rolled.min[0], rolled.max[0], rolled.sum[0]], [0, 0, 0])
})

test('a section of gaps only opens no minute', () => {
  const { windows, fold } = windowsWith(wide)
  assert.deepEqual(fold(sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [null, null] }])), {
    folded: 0,
    duplicate: 0,
    conflict: 0,
  })
  assert.equal(windows.open.length, 0)
})

test('a minute closes when what is closed reaches its end, not before', () => {
  const { windows, fold } = windowsWith(wide)
  fold(sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [1] }]))
  assert.equal(windows.closeUpTo(baseMs, baseMs).length, 0)
  assert.deepEqual(
    windows.closeUpTo(baseMs + minuteMs, baseMs).map(({ minuteMs, late }) => ({ minuteMs, late })),
    [{ minuteMs: baseMs, late: false }],
  )
  assert.equal(windows.closeUpTo(baseMs + minuteMs, baseMs).length, 0, 'and only once')
})

test('what is closed never goes back', () => {
  const { windows } = windowsWith(wide, baseMs)
  windows.closeUpTo(baseMs - minuteMs, baseMs)
  assert.equal(windows.closedThroughMs, baseMs)
})

test('a sample of a closed minute opens it again as late, and it is held for lateHoldMs', () => {
  const { windows, fold } = windowsWith(wide, baseMs + minuteMs)
  const trustedMs = baseMs + 90_000
  fold(sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [1] }]), 7, trustedMs)
  assert.equal(windows.closeUpTo(baseMs + minuteMs, trustedMs + 1_999).length, 0)
  assert.equal(windows.resumeAt(20), 7, 'a late minute that is held pins the position too')
  const [minute] = windows.closeUpTo(baseMs + minuteMs, trustedMs + 2_000)
  assert.equal(minute?.late, true)
  assert.equal(windows.resumeAt(20), 20)
})

test('a restart reads from the first record of the oldest open minute', () => {
  const { windows, fold } = windowsWith(wide)
  fold(sectionOf('a', everySecond(baseMs + minuteMs), [{ series: cpu, values: [1] }]), 3)
  fold(sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [1] }]), 5)
  fold(sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [1, 2] }]), 9)
  assert.equal(windows.resumeAt(10), 3)
  windows.closeUpTo(baseMs + minuteMs, baseMs)
  assert.equal(windows.resumeAt(10), 3)
  windows.closeUpTo(baseMs + 2 * minuteMs, baseMs)
  assert.equal(windows.resumeAt(10), 10)
})

test('past openMinutesMax the minutes with the fewest rows go early, and what comes after is marked as a part', () => {
  const { windows, fold } = windowsWith({ ...wide, openMinutesMax: 2 })
  const rows = [cpu, disk].map((series) => ({ series, values: [1] }))
  fold(sectionOf('a', everySecond(baseMs), rows))
  fold(sectionOf('a', everySecond(baseMs + minuteMs), rows))
  assert.equal(windows.overflowing, false)
  // One host lives an hour ahead of the others.
  fold(sectionOf('b', everySecond(baseMs + 60 * minuteMs), rows.slice(0, 1)))
  assert.equal(windows.overflowing, true)
  const given = windows.closeUpTo(0, baseMs)
  assert.deepEqual(
    given.map(({ minuteMs, late, reopened }) => ({ minuteMs, late, reopened })),
    [{ minuteMs: baseMs + 60 * minuteMs, late: false, reopened: false }],
  )
  fold(sectionOf('b', everySecond(baseMs + 60 * minuteMs + 1_000), rows.slice(0, 1)))
  const [again] = windows.closeUpTo(0, baseMs)
  assert.deepEqual([again?.late, again?.reopened], [false, true])
})

test('past bytesMax minutes go early, oldest first', () => {
  const { windows, fold } = windowsWith({ ...wide, bytesMax: 40_000 })
  for (const minute of [2, 0, 1]) {
    fold(sectionOf('a', everySecond(baseMs + minute * minuteMs), [{ series: cpu, values: [1] }]))
  }
  const given = windows.closeUpTo(0, baseMs)
  assert.ok(given.length > 0 && windows.open.length > 0)
  assert.deepEqual(given[0]?.minuteMs, baseMs)
  assert.ok(windows.bytes <= 40_000)
})

test('one section may hold a sample in each of very many minutes without much memory for each', () => {
  const { windows, fold } = windowsWith(wide)
  const values = Array.from({ length: 2_880 }, () => 1)
  fold(sectionOf('a', { startMs: baseMs, stepMs: minuteMs }, [{ series: cpu, values }]))
  assert.equal(windows.open.length, 2_880)
  assert.ok(windows.bytes < 50_000_000, `${windows.bytes} bytes`)
})

const damaged: [string, (section: SampleSection) => SampleSection][] = [
  ['a negative step, which would never end', (section) => ({ ...section, stepMs: -1_000 })],
  ['a step of zero', (section) => ({ ...section, stepMs: 0 })],
  ['a step of half a second', (section) => ({ ...section, stepMs: 1_500 })],
  ['a start within a second', (section) => ({ ...section, startMs: section.startMs + 1 })],
  ['a start before 1970', (section) => ({ ...section, startMs: -minuteMs })],
  ['an instant that no Date can hold', (section) => ({ ...section, startMs: 9_000_000_000_000_000 })],
  ['a negative number of slots', (section) => ({ ...section, slotCount: -1 })],
  ['a matrix that is too short', (section) => ({ ...section, values: section.values.subarray(8) })],
  ['a matrix that is too long', (section) => ({ ...section, slotCount: 1 })],
  ['a torn matrix', (section) => ({ ...section, values: section.values.subarray(3) })],
]
for (const [what, damage] of damaged) {
  test(`refused: ${what}; nothing is folded`, () => {
    const { windows, fold } = windowsWith(wide)
    // Of another server: must not show through a short matrix.
    fold(sectionOf('other', everySecond(baseMs), [{ series: cpu, values: [7, 7, 7, 7] }]))
    const section = sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [1, 2] }])
    const before = windows.open[0]?.rowCount
    assert.throws(() => fold(damage(section)), CodecError)
    assert.equal(windows.open[0]?.rowCount, before)
  })
}

test('bitCount counts all 30 bits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 30 - 1 }), (bits) => {
      assert.equal(bitCount(bits), [...bits.toString(2)].filter((digit) => digit === '1').length)
    }),
  )
})

// The property: whatever is folded, in whatever pieces, given out whenever, with restarts at any point, the union of
// what was given out is the naive model.

const allSeries = [cpu, disk, { metricId: 'disk', labels: { device: 'sdb' } }, { metricId: 'net', labels: {} }]
const value = fc.option(
  fc.integer({ min: -3_000, max: 3_000 }).map((scaled) => scaled / 1_000),
  { freq: 4 },
)
const piece = fc
  .record({
    second: fc.integer({ min: 0, max: 400 }),
    stepS: fc.constantFrom(1, 1, 1, 2, 7, 59, 60, 61, 90, 3_600),
    slotCount: fc.integer({ min: 0, max: 80 }),
    picked: fc.array(fc.nat(allSeries.length - 1), { minLength: 1, maxLength: 5 }),
    server: fc.constantFrom('a', 'b'),
  })
  .chain(({ slotCount, picked, ...rest }) =>
    fc.record({
      kind: fc.constant('fold' as const),
      ...Object.fromEntries(Object.entries(rest).map(([key, of]) => [key, fc.constant(of)])),
      rows: fc.tuple(
        ...picked.map((index) =>
          fc.record({
            series: fc.constant(allSeries[index] ?? cpu),
            values: fc.array(value, { minLength: slotCount, maxLength: slotCount }),
          }),
        ),
      ),
    }),
  ) as fc.Arbitrary<Fold>
interface Fold {
  kind: 'fold'
  second: number
  stepS: number
  server: string
  rows: { series: typeof cpu; values: (number | null)[] }[]
}
const step = fc.oneof(
  { weight: 6, arbitrary: piece },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('again' as const), back: fc.nat(10) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), minute: fc.integer({ min: 0, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)
const tight = fc.record({
  openMinutesMax: fc.integer({ min: 1, max: 6 }),
  lateMinutesMax: fc.integer({ min: 1, max: 6 }),
  bytesMax: fc.constantFrom(20_000, 100_000, 1 << 30),
  lateHoldMs: fc.constant(0),
})

/** Merges what was given out, as the store does. */
class Union {
  readonly rows = new Map<string, StoredMinute>()

  add(minute: ClosedMinute, slots: SeriesSlots): void {
    const rolled = rollUp(minute)
    for (let row = 0; row < minute.rowCount; row++) {
      const { server, series } = slots.entry(minute.slots[row] as number)
      const key = modelKey(server.serverId, series, minute.minuteMs)
      const incoming = {
        low: rolled.seenLow[row] as number,
        high: rolled.seenHigh[row] as number,
        min: rolled.min[row] as number,
        max: rolled.max[row] as number,
        sum: rolled.sum[row] as number,
      }
      const values = minute.values.subarray(row * secondsPerMinute, (row + 1) * secondsPerMinute)
      const stored = this.rows.get(key)
      this.rows.set(key, stored === undefined ? incoming : mergeRow(stored, incoming, values))
    }
  }

  table(): ModelTable {
    const entries = [...this.rows].map(([key, row]) => [key, rowInWords(row)] as const)
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

test('a backfill neither pushes out the current minute nor is given out before it', () => {
  const { windows, fold } = windowsWith({ ...wide, openMinutesMax: 2, lateMinutesMax: 500, lateHoldMs: 0 }, baseMs)
  const backMs = baseMs - 400 * minuteMs
  fold(sectionOf('old', { startMs: backMs, stepMs: minuteMs }, [{ series: cpu, values: Array(400).fill(1) }]), 0)
  fold(sectionOf('now', { startMs: baseMs, stepMs: 1_000 }, [{ series: cpu, values: [1, 2] }]), 1)
  assert.equal(windows.overflowing, false)
  const first = windows.closeUpTo(baseMs + minuteMs, baseMs)
  assert.deepEqual(
    first.map(({ minuteMs: at, late }) => [at, late]),
    [[baseMs, false]],
  )
  assert.equal(windows.resumeAt(2), 0, 'the backfill is still needed')
  assert.equal(windows.closeUpTo(baseMs + minuteMs, baseMs).length, 400)
  assert.equal(windows.resumeAt(2), 2)
})

test('past lateMinutesMax the oldest late minutes go at once', () => {
  const { windows, fold } = windowsWith({ ...wide, lateMinutesMax: 3 }, baseMs)
  const backMs = baseMs - 5 * minuteMs
  fold(sectionOf('old', { startMs: backMs, stepMs: minuteMs }, [{ series: cpu, values: [1, 2, 3, 4, 5] }]), 0)
  assert.equal(windows.overflowing, true)
  const given = windows.closeUpTo(baseMs, baseMs).map(({ minuteMs: at }) => at)
  assert.deepEqual(given, [backMs, backMs + minuteMs])
})

test('any pieces, duplicates, conflicts, early flushes and restarts give the naive model', () => {
  fc.assert(
    fc.property(tight, fc.array(step, { minLength: 1, maxLength: 30 }), (config, steps) => {
      const model = new MinuteModel()
      const union = new Union()
      const log: SampleSection[] = []
      let state = windowsWith(config)
      let resumeAt = 0
      const give = (closedThroughMs: number): void => {
        for (let minutes = state.windows.closeUpTo(closedThroughMs, baseMs); minutes.length > 0; ) {
          for (const minute of minutes) union.add(minute, state.slots)
          minutes = state.windows.closeUpTo(closedThroughMs, baseMs)
        }
        resumeAt = state.windows.resumeAt(log.length)
      }
      for (const step of steps) {
        if (step.kind === 'fold') {
          const grid = { startMs: baseMs + step.second * 1_000, stepMs: step.stepS * 1_000 }
          model.add(step.server, grid, step.rows)
          log.push(sectionOf(step.server, grid, step.rows))
          state.fold(log.at(-1) as SampleSection, log.length - 1)
        } else if (step.kind === 'again') {
          const section = log[Math.max(0, log.length - 1 - step.back)]
          if (section === undefined) continue
          log.push(section)
          state.fold(section, log.length - 1)
        } else if (step.kind === 'close') give(baseMs + step.minute * minuteMs)
        else {
          state = windowsWith(config, state.windows.closedThroughMs)
          for (let position = resumeAt; position < log.length; position++) {
            state.fold(log[position] as SampleSection, position)
          }
        }
      }
      give(Number.MAX_SAFE_INTEGER)
      assert.equal(state.windows.open.length, 0)
      assert.deepEqual(union.table(), model.table())
    }),
    { numRuns: 400 },
  )
})

test('without restarts every sample is counted once, as what the naive model says', () => {
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), (pieces) => {
      const model = new MinuteModel()
      const { fold } = windowsWith(wide)
      const counts = { folded: 0, duplicate: 0, conflict: 0 }
      for (const { server, second, stepS, rows } of pieces) {
        const grid = { startMs: baseMs + second * 1_000, stepMs: stepS * 1_000 }
        model.add(server, grid, rows)
        const { folded, duplicate, conflict } = fold(sectionOf(server, grid, rows))
        counts.folded += folded
        counts.duplicate += duplicate
        counts.conflict += conflict
      }
      assert.deepEqual(counts, model.counts)
    }),
  )
})

test('what was given out because the log began anew is a part: what comes after of the same minute is merged', () => {
  const { windows, fold } = windowsWith(wide)
  fold(sectionOf('a', everySecond(baseMs), [{ series: cpu, values: [1] }]))
  assert.deepEqual(
    windows.giveAll().map(({ minuteMs, reopened }) => ({ minuteMs, reopened })),
    [{ minuteMs: baseMs, reopened: false }],
  )
  fold(sectionOf('a', everySecond(baseMs + 5_000), [{ series: cpu, values: [2] }]))
  const [rest] = windows.closeUpTo(baseMs + minuteMs, baseMs)
  assert.deepEqual([rest?.reopened, rest?.late], [true, false])
})
