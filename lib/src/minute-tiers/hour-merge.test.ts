/** Hours from day blocks, blocks and rows, in whatever mixture sealing and retention leave them, against the rule said plainly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DayBlockEncoder } from '@minutely/schema/day-block/encode-day-block'
import { createHourColumns } from '@minutely/schema/day-block/hour-columns'
import { addMinute, type HourValues } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns } from '@minutely/schema/hour-block/minute-columns'
import { chunkOf, recordBytes, viewOf, writeRecord } from '@minutely/schema/minute-block/minute-block'
import fc from 'fast-check'
import { HourMerge } from './hour-merge.ts'

interface Minute {
  /** 0 to 59. */
  readonly slot: number
  /** Second s has value base + s, for s < count. */
  readonly count: number
  readonly base: number
}

interface Hour {
  readonly seriesId: number
  readonly hour: number
  readonly sealed: readonly Minute[]
  readonly hot: readonly Minute[]
  /** Whether the block is asked for: the hour may have rows. */
  readonly isUnsettled: boolean
  /** Retention took the block. */
  readonly isExpired: boolean
}

const firstDay = 20_000
const minute = fc.record({
  slot: fc.nat(59),
  count: fc.integer({ min: 1, max: 60 }),
  base: fc.oneof(fc.integer({ min: -99, max: 99 }), fc.double({ noNaN: true, min: -1e6, max: 1e6 })),
})
const minutes = fc.uniqueArray(minute, { maxLength: 5, selector: ({ slot }) => slot })
const hourOf = fc.record({
  /** Two chunks. */
  seriesId: fc.constantFrom(30, 31, 32),
  hour: fc.integer({ min: firstDay * 24, max: firstDay * 24 + 71 }),
  sealed: minutes,
  hot: minutes,
  isUnsettled: fc.boolean(),
  isExpired: fc.boolean(),
})

function valuesOf({ count, base }: Minute): HourValues {
  const seconds = Array.from({ length: count }, (_, second) => base + second)
  return { min: base, max: base + count - 1, sum: seconds.reduce((sum, value) => sum + value, 0), count }
}

const lowOf = ({ count }: Minute): number => (count >= 30 ? 2 ** 30 - 1 : 2 ** count - 1)
const highOf = ({ count }: Minute): number => (count > 30 ? 2 ** (count - 30) - 1 : 0)

function rolled(list: readonly Minute[]): HourValues {
  const total = { min: 0, max: 0, sum: 0, count: 0 }
  for (const one of list.toSorted((a, b) => a.slot - b.slot)) addMinute(total, valuesOf(one))
  return total
}

/** Hot minutes take the place of sealed ones. */
const union = (sealed: readonly Minute[], hot: readonly Minute[]): Minute[] => [
  ...new Map([...sealed, ...hot].map((one) => [one.slot, one])).values(),
]

function blockOf(list: readonly Minute[]): Buffer {
  const columns = createMinuteColumns(60)
  for (const one of list) {
    columns.seenLow[one.slot] = lowOf(one)
    columns.seenHigh[one.slot] = highOf(one)
    const { min, max, sum } = valuesOf(one)
    columns.min[one.slot] = min
    columns.max[one.slot] = max
    columns.sum[one.slot] = sum
  }
  return new HourBlockEncoder().encode(columns, 0)
}

/** What the rule says. Undefined: nothing. */
function expectedOf({ sealed, hot, isUnsettled, isExpired }: Hour): HourValues | undefined {
  const asked = isUnsettled ? hot : []
  if (sealed.length === 0) return asked.length === 0 ? undefined : rolled(asked)
  return isUnsettled && !isExpired ? rolled(union(sealed, asked)) : rolled(sealed)
}

/** As Postgres gives it; of the range, but for day blocks. */
function feed(merge: HourMerge, hours: readonly Hour[], isAsked: (hour: Hour) => boolean = () => true): void {
  const byChunk = Map.groupBy(hours, ({ seriesId }) => chunkOf(seriesId))
  for (const [, ofChunk] of [...byChunk].sort(([a], [b]) => a - b)) {
    for (let day = firstDay; day < firstDay + 3; day++) {
      const ofDay = ofChunk.filter(({ hour }) => Math.floor(hour / 24) === day)
      for (const [seriesId, ofSeries] of Map.groupBy(ofDay, (one) => one.seriesId)) feedDay(merge, seriesId, ofSeries)
      const asked = ofDay.filter((one) => one.isUnsettled && isAsked(one))
      for (let hour = day * 24; hour < day * 24 + 24; hour++) {
        const ofHour = asked.filter((one) => one.hour === hour)
        for (const { seriesId, sealed, isExpired } of ofHour) {
          if (sealed.length > 0 && !isExpired) merge.block({ seriesId, hour }, blockOf(sealed))
        }
        for (let slot = 0; slot < 60; slot++) feedMinute(merge, hour * 60 + slot, ofHour)
      }
    }
  }
  merge.end()
}

function feedDay(merge: HourMerge, seriesId: number, hours: readonly Hour[]): void {
  const columns = createHourColumns()
  for (const { hour, sealed } of hours) {
    const { count, min, max, sum } = rolled(sealed)
    columns.count[hour % 24] = count
    columns.min[hour % 24] = min
    columns.max[hour % 24] = max
    columns.sum[hour % 24] = sum
  }
  if (columns.count.every((count) => count === 0)) return
  merge.day({ seriesId, day: Math.floor((hours[0]?.hour ?? 0) / 24) }, new DayBlockEncoder().encode(columns))
}

/** One block for all that have the minute, from the first to the last of them. */
function feedMinute(merge: HourMerge, minute: number, hours: readonly Hour[]): void {
  const found = hours.flatMap(({ seriesId, hot }) => {
    return hot.filter(({ slot }) => slot === minute % 60).map((one) => ({ seriesId, one }))
  })
  if (found.length === 0) return
  const ids = found.map(({ seriesId }) => seriesId)
  const first = Math.min(...ids)
  const bytes = Buffer.alloc((Math.max(...ids) - first + 1) * recordBytes)
  for (const { seriesId, one } of found) {
    const { min, max, sum } = valuesOf(one)
    writeRecord(viewOf(bytes), seriesId - first, { low: lowOf(one), high: highOf(one), min, max, sum })
  }
  merge.minutes({ seriesId: first, minute }, bytes)
}

const everything = { fromHour: -Infinity, toHour: Infinity, minutesFrom: Infinity }
const keyOf = ({ seriesId, hour }: { seriesId: number; hour: number }): number => seriesId * 1e7 + hour
const arbitraryHours = fc
  .uniqueArray(hourOf, { maxLength: 12, selector: keyOf })
  .map((list) => list.toSorted((a, b) => keyOf(a) - keyOf(b)))

test('each hour once, in order, whole, to the bit (property)', () => {
  fc.assert(
    fc.property(arbitraryHours, fc.constantFrom(0, 5, 30), (hours, skip) => {
      const range = {
        ...everything,
        ...(skip > 0 && { fromHour: firstDay * 24 + skip, toHour: firstDay * 24 + 2 * skip }),
      }
      const got: unknown[] = []
      const isAsked = ({ hour }: Hour): boolean => hour >= range.fromHour && hour < range.toHour
      const merge = new HourMerge(range, (seriesId, at, values) => got.push([seriesId, at / 60, { ...values }]))
      feed(merge, hours, isAsked)
      const expected = hours.filter(isAsked).flatMap((hour) => {
        const values = expectedOf(hour)
        return values === undefined ? [] : [[hour.seriesId, hour.hour, values]]
      })
      // Day by day in each chunk; of one series in the order of time.
      const orderOf = ([seriesId = 0, hour = 0]: number[]): number[] => [
        chunkOf(seriesId),
        Math.floor(hour / 24),
        seriesId,
        hour,
      ]
      const inOrder = (expected as number[][]).toSorted((a, b) => {
        const [one, other] = [orderOf(a), orderOf(b)]
        return one.map((value, at) => value - (other[at] as number)).find((difference) => difference !== 0) ?? 0
      })
      assert.deepEqual(got, inOrder)
    }),
    { numRuns: 300 },
  )
})

test('from an instant on, minutes come one by one', () => {
  const hot = [
    { slot: 3, count: 60, base: 1 },
    { slot: 5, count: 1, base: 7 },
  ]
  const base = { seriesId: 1, sealed: [], hot, isUnsettled: true, isExpired: false }
  const at = firstDay * 24
  const got: number[][] = []
  const merge = new HourMerge({ ...everything, minutesFrom: (at + 1) * 60 }, (_, from, { count }) =>
    got.push([from - at * 60, count]),
  )
  feed(merge, [
    { ...base, hour: at },
    { ...base, hour: at + 1 },
  ])
  assert.deepEqual(got, [
    [0, 61],
    [63, 60],
    [65, 1],
  ])
})

test('a day block that cannot be read is an error that names its series and first hour', () => {
  const merge = new HourMerge(everything, () => {})
  const bytes = Buffer.from([9, 0, 0])
  assert.throws(() => merge.day({ seriesId: 7, day: firstDay }, bytes), {
    name: 'UnreadableHourError',
    seriesId: 7,
    hour: firstDay * 24,
  })
})
