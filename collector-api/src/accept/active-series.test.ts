/** Which series are new, and how many may be; the model of the properties below remembers every series by its name. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadConfig } from '@minutely/lib/config'
import fc from 'fast-check'
import { collectorSettings } from '../config.ts'
import { ActiveSeries, type ActiveSeriesConfig, serverSeries } from './active-series.ts'
import { seriesHash } from './series-hash.ts'

const minuteMs = 60_000
const startMs = 1_764_028_800_000
const roomy = { activeSeriesMax: 1_000, activeSeriesBytesMax: 1 << 20, newSeriesPerMinuteMax: 1_000 }
const create = (config: Partial<ActiveSeriesConfig> = {}) => new ActiveSeries({ ...roomy, ...config }, startMs)

const admits = (active: ActiveSeries, metricId: string): boolean =>
  active.admit(serverSeries('web-1', { metricId, labels: {} })) === null
const detailOf = (active: ActiveSeries, metricId: string) =>
  active.admit(serverSeries('web-1', { metricId, labels: {} }))?.detail ?? ''

describe('ActiveSeries', () => {
  test('refuses what is new past the count, with the numbers and the setting, and never what is known', () => {
    const active = create({ activeSeriesMax: 2 })
    assert.deepEqual(
      ['a', 'b', 'c', 'a', 'b', 'c'].map((name) => admits(active, name)),
      [true, true, false, true, true, false],
    )
    assert.match(
      detailOf(active, 'c'),
      /2 series are active, the limit for new ones is 2: .*120 min.*MINUTELY_ACTIVE_SERIES_MAX/,
    )
    assert.deepEqual([active.count, active.begunCount], [2, 2])
  })

  test('is another series on another server, or with another label or value of it', () => {
    const active = create()
    const series = { metricId: 'm', labels: { a: '1', b: '2' } }
    const others = [{ a: '2', b: '2' }, { a: '1' }, { a: '1', c: '2' }, {}]
    assert.equal(active.admit(serverSeries('web-1', series)), null)
    assert.equal(active.admit(serverSeries('web-2', series)), null)
    for (const labels of others) assert.equal(active.admit(serverSeries('web-1', { ...series, labels })), null)
    assert.equal(active.count, 6)
    active.admit(serverSeries('web-1', { metricId: 'm', labels: { b: '2', a: '1' } }))
    assert.equal(active.count, 6)
  })

  test('bounds names and labels too: few but huge series are refused as many small ones are', () => {
    const active = create({ activeSeriesBytesMax: 40_000 })
    const huge = (name: string) => serverSeries('web-1', { metricId: name, labels: { a: 'é'.repeat(8_000) } })
    assert.equal(active.admit(huge('a')), null)
    assert.equal(active.admit(huge('b')), null)
    assert.match(
      active.admit(huge('c'))?.detail ?? '',
      /32\d\d\d bytes, this one 160\d\d, the limit is 40000.*MINUTELY_ACTIVE_SERIES_BYTES_MAX/,
    )
    assert.ok(admits(active, 'small'))
    assert.equal(active.admit(huge('a')), null)
  })

  test('forgets what was not sent for 120 to 160 min, and then has room again', () => {
    const active = create({ activeSeriesMax: 1 })
    assert.ok(admits(active, 'a'))
    active.observe(startMs + 120 * minuteMs - 1)
    assert.ok(!admits(active, 'b'))
    active.observe(startMs + 160 * minuteMs)
    assert.ok(admits(active, 'b'))
    assert.ok(!admits(active, 'a'))
    assert.deepEqual([active.count, active.begunCount], [1, 2])
  })

  test('takes a whole fleet at once, then new series at the rate', () => {
    const active = create({ activeSeriesMax: 100, newSeriesPerMinuteMax: 2 })
    for (let index = 0; index < 100; index++) assert.ok(admits(active, `first-${index}`))
    // All of them have gone; 240 tokens would have come meanwhile, 100 are kept.
    active.observe(startMs + 160 * minuteMs)
    for (let index = 0; index < 100; index++) assert.ok(admits(active, `second-${index}`))
    const slow = create({ activeSeriesMax: 1_000, newSeriesPerMinuteMax: 2 })
    for (let index = 0; index < 990; index++) admits(slow, `gone-${index}`)
    // They leave 10 tokens; 3 generations later there are 320 more.
    slow.observe(startMs + 160 * minuteMs)
    const begun = Array.from({ length: 400 }, (_, index) => admits(slow, `new-${index}`)).filter(Boolean).length
    assert.equal(begun, 330)
    assert.match(
      detailOf(slow, 'one-more'),
      /more new series began than 2 a minute: .*MINUTELY_NEW_SERIES_PER_MINUTE_MAX/,
    )
    slow.observe(startMs + 160 * minuteMs + 30_000)
    assert.deepEqual([admits(slow, 'one-more'), admits(slow, 'two-more')], [true, false])
  })

  test('by default takes a fleet of 10,000 hosts with 10 metrics at once, and half of one that comes over from another collector', () => {
    const { collector } = loadConfig({ collector: collectorSettings }, {})
    const active = new ActiveSeries(collector, startMs)
    const fleet = (prefix: string, hostCount: number): number => {
      let refusedCount = 0
      for (let host = 0; host < hostCount; host++) {
        for (let metric = 0; metric < 10; metric++) {
          const series = { metricId: `system.load.metric_${metric}`, labels: { device: 'sda1' } }
          if (active.admit(serverSeries(`${prefix}-${host}.region-1.example.com`, series)) !== null) refusedCount++
        }
      }
      return refusedCount
    }
    assert.deepEqual([fleet('web', 10_000), fleet('web', 10_000), fleet('db', 5_000)], [0, 0, 0])
    assert.equal(fleet('more', 1), 10)
    assert.equal(fleet('web', 10_000), 0)
  })

  test('a clock that jumps loses nothing but a while', () => {
    const active = create({ activeSeriesMax: 1 })
    assert.ok(admits(active, 'a'))
    active.observe(startMs - 1_000 * minuteMs)
    assert.deepEqual([admits(active, 'a'), admits(active, 'b')], [true, false])
    active.observe(startMs + 1e12)
    assert.ok(admits(active, 'b'))
    active.observe(startMs)
    assert.deepEqual([admits(active, 'b'), admits(active, 'a')], [true, false])
  })

  test('a clock that steps back and forth over the end of a generation forgets nobody', () => {
    const endMs = Math.ceil(startMs / (40 * minuteMs)) * 40 * minuteMs
    const active = new ActiveSeries({ ...roomy, activeSeriesMax: 2 }, endMs - 1)
    for (const name of ['a', 'b']) assert.ok(admits(active, name))
    for (let round = 0; round < 4; round++) {
      active.observe(endMs + 3)
      active.observe(endMs - 2)
    }
    assert.deepEqual(
      [admits(active, 'c'), admits(active, 'a'), admits(active, 'b'), active.count],
      [false, true, true, 2],
    )
  })

  test('never refuses a series seen within 120 min, counts what it should, and stays within its bounds (property)', () => {
    const anyStep = fc.record({
      waitMs: fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 100 * minuteMs })),
      names: fc.array(fc.nat({ max: 60 }), { maxLength: 30 }),
    })
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), fc.integer({ min: 1, max: 50 }), (steps, activeSeriesMax) => {
        const active = create({ activeSeriesMax, activeSeriesBytesMax: 32_768, newSeriesPerMinuteMax: 7 })
        const seenAtMs = new Map<number, number>()
        let nowMs = startMs
        let begunCount = 0
        for (const { waitMs, names } of steps) {
          nowMs += waitMs
          active.observe(nowMs)
          for (const name of names) {
            const ageMs = nowMs - (seenAtMs.get(name) ?? Number.NEGATIVE_INFINITY)
            const before = active.count
            const isAdmitted = admits(active, `m${name}`)
            if (ageMs < 120 * minuteMs) assert.ok(isAdmitted, `m${name} was seen ${ageMs} ms ago`)
            if (ageMs < 120 * minuteMs || !isAdmitted) assert.equal(active.count, before)
            if (active.count > before) begunCount++
            if (isAdmitted) seenAtMs.set(name, nowMs)
          }
          const lastSeen = [...seenAtMs.values()]
          const surelyActive = lastSeen.filter((atMs) => nowMs - atMs < 120 * minuteMs).length
          const maybeActive = lastSeen.filter((atMs) => nowMs - atMs < 160 * minuteMs).length
          assert.ok(active.count >= surelyActive && active.count <= maybeActive)
          assert.ok(active.count <= activeSeriesMax && active.bytes <= 32_768)
          assert.ok((active.count === 0) === (active.bytes === 0))
        }
        assert.equal(active.begunCount, begunCount)
      }),
    )
  })
})

describe('seriesHash', () => {
  test('is the same for the same text and key, and another for others', () => {
    const key = { low: 1, high: -2 }
    const texts = ['', 'a', 'aa', 'a\0', '\0', 'ab', 'ba', 'é', 'e\u0301', 'x'.repeat(20_000)]
    const hashes = texts.map((text) => seriesHash(text, key))
    assert.deepEqual(
      texts.map((text) => seriesHash(text, key)),
      hashes,
    )
    assert.equal(new Set(hashes).size, texts.length)
    assert.equal(
      new Set([...hashes, ...texts.map((text) => seriesHash(text, { low: 2, high: -2 }))]).size,
      2 * texts.length,
    )
  })

  test('spreads names that differ little over all 53 bits', () => {
    const counts = new Float64Array(53)
    const seen = new Set<number>()
    for (let index = 0; index < 100_000; index++) {
      const hash = seriesHash(`default\u0001web-1\u0001metric.${index}`, { low: 7, high: 9 })
      assert.ok(Number.isSafeInteger(hash) && hash >= 0)
      seen.add(hash)
      for (let bit = 0; bit < 53; bit++) counts[bit] = (counts[bit] ?? 0) + (Math.floor(hash / 2 ** bit) % 2)
    }
    assert.equal(seen.size, 100_000)
    // Six standard deviations of a fair coin.
    for (const [bit, count] of counts.entries()) assert.ok(Math.abs(count - 50_000) < 950, `bit ${bit}: ${count}`)
  })
})
