/**
 * Judging without HTTP: the three forms mean the same, nothing is lost or counted twice, and a bad sample never takes its
 * neighbours. `fold` below is what the aggregator does: sections in order, the first value of a second wins.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { decodeSeriesList, encodeSampleBatch, encodeSeriesList } from '@minutely/schema/sample-codec'
import { columnsRequest, type Rejection, rejectReasons, rowsRequest } from '@minutely/schema/sample-wire'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import fc from 'fast-check'
import { ActiveSeries } from './accept/active-series.ts'
import { entriesMax } from './accept/rejections.ts'
import { SeriesListCache } from './accept/series-list-cache.ts'
import { type AcceptedBatch, acceptBatch } from './accept-batch.ts'

const nowMs = 1_764_028_800_000

const defaultLimits = {
  seriesPerRequestMax: 5_000,
  sampleAgeMsMax: 172_800_000,
  sampleFutureMsMax: 300_000,
  activeSeriesMax: 150_000,
  activeSeriesBytesMax: 1 << 26,
  newSeriesPerMinuteMax: 10_000,
}

function createDeps(config: Partial<typeof defaultLimits> = {}) {
  const lookups: string[] = []
  const sampleLog = { route: ({ metricId }: { metricId: string }) => ({ topic: metricId.slice(0, 1), partition: 0 }) }
  const limits = { ...defaultLimits, ...config }
  const activeSeries = new ActiveSeries(limits, nowMs)
  const lookedUp = (result: string) => lookups.push(result)
  const cache = new SeriesListCache({ sampleLog, activeSeries, bytesMax: 1 << 20, lookedUp })
  return { clock: new VirtualClock(nowMs), sampleLog, cache, activeSeries, lookups, config: limits }
}

type Folded = Map<string, number>

function fold(batches: readonly AcceptedBatch[]): Folded {
  const folded: Folded = new Map()
  for (const { section } of batches.flatMap(({ sections }) => sections)) {
    assert.equal(section.startMs % 1000, 0)
    assert.equal(section.stepMs % 1000, 0)
    assert.ok(section.stepMs >= 1000)
    const series = decodeSeriesList(section.series)
    assert.deepEqual(encodeSeriesList(series), Buffer.from(section.series), 'the list is canonical')
    assert.equal(section.values.length, series.length * section.slotCount * 8)
    const matrix = new DataView(section.values.buffer, section.values.byteOffset, section.values.byteLength)
    for (const [row, ref] of series.entries()) {
      for (let slot = 0; slot < section.slotCount; slot++) {
        const value = matrix.getFloat64((row * section.slotCount + slot) * 8, true)
        if (Number.isNaN(value)) continue
        assert.ok(!Object.is(value, -0), 'no negative zero')
        put(folded, section.serverId, ref, section.startMs + slot * section.stepMs, value)
      }
    }
  }
  return folded
}

function put(folded: Folded, serverId: string, series: SeriesRef, tsMs: number, value: number): void {
  const key = `${serverId} ${seriesKey(series)} ${Math.floor(tsMs / 1000)}`
  if (!folded.has(key)) folded.set(key, value + 0)
}

interface Column extends SeriesRef {
  readonly startMs: number
  readonly stepMs: number
  readonly values: readonly (number | null)[]
}

const json = (body: unknown): Buffer =>
  Buffer.from(JSON.stringify(body, (_key, value) => (Object.is(value, -0) ? 0 : value)))

const forms = {
  columns: (columns: readonly Column[]) => json({ serverId: 'web-1', series: columns }),
  rows: (columns: readonly Column[]) =>
    json({
      samples: columns.flatMap(({ metricId, labels, startMs, stepMs, values }) =>
        values.flatMap((value, slot) =>
          value === null ? [] : [{ serverId: 'web-1', metricId, labels, value, ts: startMs + slot * stepMs }],
        ),
      ),
    }),
  avro: (columns: readonly Column[]) =>
    encodeSampleBatch({ serverId: 'web-1', sentAtMs: nowMs, blocks: columns.map((column) => block([column], column)) }),
}
const formNames = ['columns', 'rows', 'avro'] as const

function block(
  series: readonly (SeriesRef & { values: readonly (number | null)[] })[],
  grid: { startMs: number; stepMs: number },
) {
  const values = Float64Array.from(series.flatMap((column) => column.values.map((value) => value ?? Number.NaN)))
  const slotCount = series[0]?.values.length ?? 0
  return {
    startMs: grid.startMs,
    stepMs: grid.stepMs,
    slotCount,
    series: encodeSeriesList(series),
    values: Buffer.from(values.buffer),
  }
}

const accept = (body: Buffer, form: string, deps = createDeps()) =>
  acceptBatch(body, form === 'avro' ? 'avro' : 'json', deps)

const anyValue = fc.oneof(
  fc.constant(null),
  fc.double({ noNaN: true, min: -1e290, max: 1e290 }),
  fc.constantFrom(0, -0, 1e290, -1e290, 5e-324, 0.1),
)
const anyColumn: fc.Arbitrary<Column> = fc.record({
  metricId: fc.constantFrom('cpu', 'mem'),
  labels: fc.constantFrom({}, { disk: 'sda' }, { b: '2', a: 'é😀' }, { a: 'é😀', b: '2' }),
  startMs: fc.integer({ min: nowMs - 3_600_000, max: nowMs - 3_500_000 }),
  stepMs: fc.constantFrom(1000, 2000, 10_000, 60_000, 500, 1500, 1, 999),
  values: fc.array(anyValue, { maxLength: 12 }),
})

function expectedOf(columns: readonly Column[]): Folded {
  const expected: Folded = new Map()
  for (const column of columns) {
    for (const [slot, value] of column.values.entries()) {
      if (value !== null) put(expected, 'web-1', column, column.startMs + slot * column.stepMs, value)
    }
  }
  return expected
}
const countOf = (columns: readonly Column[]): number =>
  columns.flatMap(({ values }) => values).filter((v) => v !== null).length

test('the same samples in any form and any split give the same seconds', () => {
  const parts = fc.array(fc.tuple(fc.constantFrom(...formNames), fc.array(anyColumn, { maxLength: 8 })), {
    maxLength: 4,
  })
  fc.assert(
    fc.property(parts, (requests) => {
      const deps = createDeps()
      const batches = requests.map(([form, columns]) => accept(forms[form](columns), form, deps))
      const columns = requests.flatMap(([, sent]) => sent)
      assert.deepEqual(fold(batches), expectedOf(columns))
      assert.equal(
        batches.reduce((sum, { acceptedCount }) => sum + acceptedCount, 0),
        countOf(columns),
      )
      for (const { rejections } of batches) assert.deepEqual(rejections.list(), [])
    }),
    { numRuns: 500 },
  )
})

const badRows = [
  7,
  null,
  [],
  'x',
  {},
  { serverId: 'web 1', metricId: 'cpu', value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: '9', value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', labels: { '': 'x' }, value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', labels: { a: 1 }, value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', labels: { a: { b: {} } }, value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', labels: { a: '\ud800' }, value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', labels: { a: 'x\u0001b\u0001y' }, value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', labels: [], value: 1, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', value: '1', ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', value: 1e300, ts: nowMs },
  { serverId: 'web-1', metricId: 'cpu', value: 1, ts: -1 },
  { serverId: 'web-1', metricId: 'cpu', value: 1, ts: 1.5 },
  { serverId: 'web-1', metricId: 'cpu', value: 1, ts: nowMs + 300_001 },
  { serverId: 'web-1', metricId: 'cpu', value: 1, ts: nowMs - 172_800_001 },
]

test('rows: bad ones are each counted once and take no neighbour', () => {
  const anyMix = fc.array(fc.oneof(anyColumn, fc.constantFrom(...badRows.map((bad) => ({ bad })))), { maxLength: 20 })
  fc.assert(
    fc.property(anyMix, (mix) => {
      const columns = mix.filter((item) => !('bad' in item)) as Column[]
      const rows = mix.flatMap((item) =>
        'bad' in item ? [item.bad] : JSON.parse(forms.rows([item]).toString()).samples,
      )
      const batch = accept(json({ samples: rows }), 'rows')
      assert.deepEqual(fold([batch]), expectedOf(columns))
      assert.equal(batch.acceptedCount, countOf(columns))
      assert.equal(batch.rejections.total, mix.length - columns.length)
    }),
  )
})

const badSeries = [
  [3, 1],
  [{ metricId: 'cpu' }, 1],
  [{ metricId: 'cpu', startMs: nowMs, values: {} }, 1],
  [{ metricId: '', startMs: nowMs, values: [1, null, 2] }, 2],
  [{ metricId: 'cpu', labels: { __proto__x: 'a' }, startMs: nowMs, values: [1] }, 1],
  [{ metricId: 'cpu', values: [1, 2] }, 2],
  [{ metricId: 'cpu', startMs: 'now', values: [1] }, 1],
  [{ metricId: 'cpu', startMs: nowMs, stepMs: 0, values: [1] }, 1],
  [{ metricId: 'cpu', startMs: nowMs, values: ['1', true, null, [], {}] }, 4],
  [{ metricId: 'cpu', startMs: Number.MAX_SAFE_INTEGER, stepMs: Number.MAX_SAFE_INTEGER, values: [1, 2] }, 2],
  [{ metricId: 'cpu', startMs: 0, stepMs: 1, values: [1] }, 1],
] as const

test('columns: bad series and values are each counted once and take no neighbour', () => {
  const anyMix = fc.array(fc.oneof(anyColumn, fc.constantFrom(...badSeries.map((bad) => ({ bad })))), { maxLength: 20 })
  fc.assert(
    fc.property(anyMix, (mix) => {
      const columns = mix.filter((item) => !('bad' in item)) as Column[]
      const batch = accept(
        json({ serverId: 'web-1', series: mix.map((item) => ('bad' in item ? item.bad[0] : item)) }),
        'columns',
      )
      assert.deepEqual(fold([batch]), expectedOf(columns))
      assert.equal(batch.acceptedCount, countOf(columns))
      assert.equal(
        batch.rejections.total,
        mix.reduce((sum, item) => sum + ('bad' in item ? item.bad[1] : 0), 0),
      )
    }),
  )
})

test('avro: bad rows, values and blocks are counted and take no neighbour', () => {
  const startMs = nowMs - 60_000
  const anyRow = fc.record({
    series: fc.constantFrom<SeriesRef>(
      { metricId: 'cpu', labels: {} },
      { metricId: 'mem', labels: { a: 'b' } },
      { metricId: '!', labels: {} },
      { metricId: 'cpu', labels: { a: '' } },
    ),
    values: fc.array(fc.oneof(anyValue, fc.constantFrom(1 / 0, -1 / 0, 1e300)), { minLength: 5, maxLength: 5 }),
  })
  const anyBlock = fc.record({
    rows: fc.array(anyRow, { maxLength: 6 }),
    isMalformed: fc.boolean(),
    startMs: fc.constantFrom(startMs, startMs + 7, nowMs + 298_000, nowMs - 172_802_000),
    stepMs: fc.constantFrom(1000, 1300),
  })
  fc.assert(
    fc.property(fc.array(anyBlock, { maxLength: 4 }), (blocks) => {
      const expected: Folded = new Map()
      let acceptedCount = 0
      let sentCount = 0
      const encoded = blocks.map(({ rows, isMalformed, ...grid }) => {
        const whole = block(
          rows.map(({ series, values }) => ({ ...series, values })),
          grid,
        )
        for (const { series, values } of isMalformed ? [] : rows) {
          for (const [slot, value] of values.entries()) {
            const ts = grid.startMs + slot * grid.stepMs
            if (value === null) continue
            sentCount++
            const isNamed = series.metricId !== '!' && Object.values(series.labels)[0] !== ''
            if (!isNamed || Math.abs(value) > 1e290 || ts > nowMs + 300_000 || ts < nowMs - 172_800_000) continue
            put(expected, 'web-1', series, ts, value)
            acceptedCount++
          }
        }
        if (!isMalformed) return whole
        sentCount += Math.max(1, rows.length * 5)
        return { ...whole, slotCount: whole.slotCount + 1, series: encodeSeriesList([{ metricId: 'x', labels: {} }]) }
      })
      const batch = accept(encodeSampleBatch({ serverId: 'web-1', sentAtMs: nowMs, blocks: encoded }), 'avro')
      assert.deepEqual(fold([batch]), expected)
      assert.equal(batch.acceptedCount, acceptedCount)
      assert.equal(batch.acceptedCount + batch.rejections.total, sentCount)
    }),
    { numRuns: 300 },
  )
})

const anyName = fc.oneof(
  fc.string(),
  fc.constantFrom('a', 'a'.repeat(200), 'A_b.c/d-e', 'sys:x', 'web-1', '__x', 'toString'),
)
const anyLabels = fc.option(
  fc.dictionary(
    fc.oneof(anyName, fc.constant('b'.repeat(128))),
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('é'.repeat(256), 'é'.repeat(257), 'x'.repeat(512), '\u2028', '\ud800'),
    ),
    { maxKeys: 3 },
  ),
  { nil: undefined },
)
const anyInstant = fc.integer({ min: nowMs - 172_800_000, max: nowMs })

// A label called __proto__ is left out: zod drops that key without a word, the collector refuses the series.
test('what the published shapes accept, the collector accepts', () => {
  const anySeries = fc.record(
    {
      metricId: anyName,
      labels: anyLabels,
      startMs: anyInstant,
      stepMs: fc.integer({ min: 0, max: 2000 }),
      values: fc.array(anyValue, { maxLength: 3 }),
    },
    { requiredKeys: ['metricId', 'values', 'startMs'] },
  )
  const anyRow = fc.record(
    { serverId: anyName, metricId: anyName, labels: anyLabels, value: anyValue, ts: anyInstant },
    { requiredKeys: ['serverId', 'metricId', 'value', 'ts'] },
  )
  let shapedCount = 0
  const check = (body: unknown, shape: typeof columnsRequest | typeof rowsRequest): void => {
    const sent = JSON.parse(json(body).toString())
    const isShaped = shape.safeParse(sent).success
    const { rejections } = accept(json(body), 'json')
    if (isShaped) assert.deepEqual(rejections.list(), [])
    if (isShaped) shapedCount++
  }
  fc.assert(
    fc.property(anyName, anySeries, (serverId, series) => check({ serverId, series: [series] }, columnsRequest)),
    { numRuns: 3000 },
  )
  fc.assert(
    fc.property(anyRow, (row) => check({ samples: [row] }, rowsRequest)),
    { numRuns: 3000 },
  )
  assert.ok(shapedCount > 100, `only ${shapedCount} of the requests had the shape`)
})

test('an equal series list is judged once a server, and its bytes are passed on', () => {
  const deps = createDeps()
  const columns = [{ metricId: 'cpu', labels: {}, startMs: nowMs, stepMs: 1000, values: [1, 2] }]
  const [first, second] = [accept(forms.avro(columns), 'avro', deps), accept(forms.avro(columns), 'avro', deps)]
  assert.deepEqual(deps.lookups, ['miss', 'hit'])
  assert.equal(second.sections[0]?.section.series, first.sections[0]?.section.series)
})

test('a list with labels out of order is taken, and made canonical', () => {
  const sorted = encodeSeriesList([{ metricId: 'm', labels: { a: '1', b: '2' } }])
  const label = (text: string) => sorted.indexOf(text, 'utf8')
  const unsorted = Buffer.from(sorted)
  unsorted.write('b', label('a'))
  unsorted.write('2', label('1'))
  unsorted.write('a', sorted.lastIndexOf('b'))
  unsorted.write('1', sorted.lastIndexOf('2'))
  const values = Buffer.from(Float64Array.of(5).buffer)
  const blocks = [{ startMs: nowMs, stepMs: 1000, slotCount: 1, series: unsorted, values }]
  const batch = accept(encodeSampleBatch({ serverId: 'web-1', sentAtMs: 0, blocks }), 'avro')
  assert.notDeepEqual(unsorted, sorted)
  assert.deepEqual(batch.sections[0]?.section.series, sorted)
})

test('series past the limit are refused by name, the others kept; a list counts once however many blocks use it', () => {
  const series = ['a', 'b', 'c'].map((metricId) => ({
    metricId,
    labels: {},
    startMs: nowMs,
    stepMs: 1000,
    values: [1, 2],
  }))
  const deps = createDeps({ seriesPerRequestMax: 2 })
  const blocks = [
    block(series, { startMs: nowMs, stepMs: 1000 }),
    block(series, { startMs: nowMs + 2000, stepMs: 1000 }),
  ]
  const bodies = {
    columns: forms.columns([...series, ...series]),
    rows: forms.rows([...series, ...series]),
    avro: encodeSampleBatch({ serverId: 'web-1', sentAtMs: 0, blocks }),
  }
  for (const form of formNames) {
    const { acceptedCount, rejections } = accept(bodies[form], form, deps)
    assert.equal(acceptedCount, 8, form)
    assert.deepEqual(
      rejections.list().map(({ metricId, reason, count }) => [metricId, reason, count]),
      [['c', 'series-per-request', 4]],
    )
  }
})

test('new series past the limit are refused by name in every form, those beside them kept, and known ones never refused', () => {
  const column = (metricId: string) => ({ metricId, labels: {}, startMs: nowMs, stepMs: 1000, values: [1, null, 2] })
  const block3 = (names: string) => ({
    serverId: 'web-1',
    sentAtMs: 0,
    blocks: [block([...names].map(column), { startMs: nowMs, stepMs: 1000 })],
  })
  const bodiesOf = (names: string) => ({
    columns: forms.columns([...names].map(column)),
    rows: forms.rows([...names].map(column)),
    avro: encodeSampleBatch(block3(names)),
  })
  for (const form of formNames) {
    const routed = new Set<string>()
    const deps = createDeps({ activeSeriesMax: 2 })
    const { route } = deps.sampleLog
    deps.sampleLog.route = (series) => {
      routed.add(series.metricId)
      return route(series)
    }
    assert.equal(accept(bodiesOf('a')[form], form, deps).acceptedCount, 2)
    const crowded = accept(bodiesOf('xaz')[form], form, deps)
    assert.equal(crowded.acceptedCount, 4, form)
    assert.deepEqual(
      crowded.rejections.list().map(({ metricId, reason, count }) => [metricId, reason, count]),
      [['z', 'series-limit', 2]],
    )
    assert.deepEqual([...fold([crowded])].length, 4)
    assert.deepEqual([...routed], ['a', 'x'], 'what is refused is never routed: routing takes room for a topic')
    for (const known of ['a', 'x', 'ax']) {
      assert.deepEqual(accept(bodiesOf(known)[form], form, deps).rejections.list(), [], `${form} ${known}`)
    }
  }
})

test('a list refused in part is judged again, and kept once it is accepted', () => {
  const deps = createDeps({ activeSeriesMax: 1 })
  const send = (...names: string[]) => {
    const series = names.map((metricId) => ({ metricId, labels: {}, values: [1] }))
    const blocks = [block(series, { startMs: nowMs, stepMs: 1000 })]
    return accept(encodeSampleBatch({ serverId: 'web-1', sentAtMs: 0, blocks }), 'avro', deps)
  }
  assert.equal(send('a', 'b').acceptedCount, 1)
  assert.equal(send('a', 'b').acceptedCount, 1)
  void deps.clock.advance(160 * 60_000)
  const { acceptedCount, rejections } = acceptBatch(
    encodeSampleBatch({
      serverId: 'web-1',
      sentAtMs: 0,
      blocks: [block([{ metricId: 'b', labels: {}, values: [1] }], { startMs: deps.clock.nowMs(), stepMs: 1000 })],
    }),
    'avro',
    deps,
  )
  assert.deepEqual([acceptedCount, rejections.total], [1, 0])
  send('b')
  assert.deepEqual(deps.lookups, ['miss', 'miss', 'miss', 'hit'])
})

test('a list that is sent all the time is judged once a generation, and its series go on', () => {
  const deps = createDeps({ activeSeriesMax: 2 })
  const send = (metricId: string) =>
    accept(forms.avro([{ metricId, labels: {}, startMs: deps.clock.nowMs(), stepMs: 1000, values: [1] }]), 'avro', deps)
  for (let minute = 0; minute < 1_000; minute++) {
    assert.equal(send('a').acceptedCount, 1)
    assert.equal(send(minute === 0 ? 'b' : 'a').acceptedCount, 1)
    void deps.clock.advance(60_000)
  }
  assert.equal(deps.activeSeries.count, 1)
  assert.equal(deps.lookups.filter((result) => result === 'miss').length, 1 + 1 + 1 + 1_000 / 40 - 1)
})

test('the answer lists at most 100 entries and still adds up', () => {
  const bad = Array.from({ length: 1000 }, (_, index) => ({ metricId: `m${index}`, values: [1, 2] }))
  const more = Array.from({ length: 50 }, (_, index) => ({ metricId: `n${index}`, startMs: nowMs, values: ['x'] }))
  const { rejections } = accept(json({ serverId: 'web-1', series: [...bad, ...more] }), 'columns')
  const list = rejections.list()
  assert.ok(list.length <= 100, `${list.length} entries`)
  assert.equal(
    list.reduce((sum, { count }) => sum + count, 0),
    2050,
  )
  assert.deepEqual(
    list.filter(({ metricId }) => metricId === '(other metrics)').map(({ reason, count }) => [reason, count]),
    [
      ['time-invalid', 2000 - (entriesMax - rejectReasons.length) * 2],
      ['value-not-a-number', 50],
    ],
  )
})

test('a clock an hour ahead is told by how much', () => {
  const { rejections } = accept(
    json({ samples: [{ serverId: 'w', metricId: 'cpu', value: 1, ts: nowMs + 3_600_000 }] }),
    'rows',
  )
  assert.match(
    rejections.list()[0]?.detail ?? '',
    /3600 s ahead of the collector's clock .*at most 300 s.*set the host's clock/,
  )
})

test('a time in another unit than ms is told which', () => {
  const details = (row: object) => {
    const { rejections } = accept(json({ samples: [{ serverId: 'w', metricId: 'cpu', value: 1, ...row }] }), 'rows')
    return rejections.list().map(({ reason, detail }) => [reason, /looks like .*/.exec(detail)?.[0]])
  }
  const advice = (unit: string) => `looks like ${unit}: send ms since the epoch`
  assert.deepEqual(details({ ts: nowMs / 1000 }), [['time-too-old', advice('seconds')]])
  assert.deepEqual(details({ ts: nowMs / 1000 - 30 * 86_400 }), [['time-too-old', advice('seconds')]])
  assert.deepEqual(details({ ts: nowMs / 1000 + 0.25 }), [['time-invalid', advice('seconds')]])
  assert.deepEqual(details({ ts: nowMs * 1000 }), [['time-in-future', advice('microseconds')]])
  assert.deepEqual(details({ ts: nowMs * 1_000_000 }), [['time-invalid', advice('nanoseconds')]])
  for (const ts of [1000, nowMs - 200_000_000]) assert.deepEqual(details({ ts }), [['time-too-old', undefined]])
  assert.deepEqual(details({ ts: nowMs + 3_600_000 }), [['time-in-future', undefined]])
  for (const ts of ['now', null, nowMs + 0.5]) assert.deepEqual(details({ ts }), [['time-invalid', undefined]])
})

test('a startMs in another unit than ms is told which, in columns and Avro', () => {
  const detailOf = (body: Buffer, form: string) => accept(body, form).rejections.list()[0]?.detail ?? ''
  const columns = (startMs: number) => json({ serverId: 'w', startMs, series: [{ metricId: 'cpu', values: [1, 2] }] })
  const series = [{ metricId: 'cpu', labels: {}, values: [1, 2] }]
  const avro = (startMs: number) =>
    encodeSampleBatch({ serverId: 'w', sentAtMs: 0, blocks: [block(series, { startMs, stepMs: 1000 })] })
  for (const [startMs, unit] of [
    [nowMs / 1000, 'seconds'],
    [nowMs * 1000, 'microseconds'],
  ] as const) {
    const expected = new RegExp(`this looks like ${unit}: send ms since the epoch$`)
    assert.match(detailOf(columns(startMs), 'columns'), expected)
    assert.match(detailOf(avro(startMs), 'avro'), expected)
  }
  assert.match(detailOf(columns(nowMs / 1000 + 0.5), 'columns'), /looks like seconds/)
  assert.match(detailOf(columns(nowMs * 1_000_000), 'columns'), /looks like nanoseconds/)
})

const placeOf = ({ detail, serverId, firstIndex }: Rejection) => [
  /^[^:]*/.exec(detail)?.[0],
  firstIndex,
  ...(serverId === undefined ? [] : [serverId]),
]

test('a refusal says where the first of its samples stands', () => {
  const row = { serverId: 'w', metricId: 'cpu', value: 1, ts: nowMs }
  const places = (body: Buffer, form: string) => accept(body, form).rejections.list().map(placeOf)
  assert.deepEqual(places(json({ samples: [row, { ...row, value: '1' }, 7, { ...row, value: 'x' }] }), 'rows'), [
    ['samples[1]', 1],
    ['samples[2]', 2],
  ])
  const series = [
    { metricId: 'cpu', values: [1] },
    { metricId: '9', values: [1] },
    { metricId: 'cpu', values: [1, 'x'] },
    { metricId: 'mem', startMs: nowMs - 172_802_000, values: [null, 2, 3] },
    7,
    { metricId: 'disk', startMs: 'x', values: [1] },
  ]
  assert.deepEqual(places(json({ serverId: 'w', startMs: nowMs, series }), 'columns'), [
    ['series[1]', 1],
    ['series[2].values[1]', 2],
    ['series[3].values[1]', 3],
    ['series[4]', 4],
    ['series[5]', 5],
  ])
  const rowsOfBlock = [
    { metricId: 'cpu', labels: {}, values: [1, 2] },
    { metricId: 'cpu', labels: { a: '' }, values: [1, 2] },
    { metricId: 'mem', labels: {}, values: [1, 1 / 0] },
  ]
  const good = block(rowsOfBlock.slice(0, 1), { startMs: nowMs, stepMs: 1000 })
  const blocks = [good, block(rowsOfBlock, { startMs: nowMs, stepMs: 1000 }), { ...good, slotCount: 3 }]
  assert.deepEqual(places(encodeSampleBatch({ serverId: 'w', sentAtMs: 0, blocks }), 'avro'), [
    ['blocks[1].series[1]', 1],
    ['blocks[1].series[2].values[1]', 2],
    ['blocks[2]', 2],
  ])
  assert.deepEqual(places(encodeSampleBatch({ serverId: '!', sentAtMs: 0, blocks }), 'avro'), [['blocks[0]', 0]])
})

test('a refusal names its server when the request is about several', () => {
  const row = { metricId: 'cpu', ts: nowMs, value: 1 }
  const places = (samples: object[]) => accept(json({ samples }), 'rows').rejections.list().map(placeOf)
  assert.deepEqual(
    places([
      { ...row, serverId: 'a' },
      { ...row, serverId: 'b', value: 'x' },
      { ...row, serverId: 'a', value: 'x' },
    ]),
    [['samples[1] of server "b"', 1, 'b']],
  )
  const endless = `!${'x'.repeat(300)}`
  const [refusal] = accept(
    json({
      samples: [
        { ...row, serverId: 'a' },
        { ...row, serverId: endless },
      ],
    }),
    'rows',
  ).rejections.list()
  assert.equal(refusal?.serverId, `${endless.slice(0, 200)}…`)
  assert.ok((refusal?.detail.length ?? 999) < 400)
  assert.deepEqual(
    places([
      { ...row, serverId: 'a' },
      { ...row, serverId: {} },
    ]),
    [['samples[1]', 1]],
  )
})

test('rows every 10 s make a grid of 10 s, scattered ones a section each', () => {
  const rows = (seconds: readonly number[]) =>
    seconds.map((s) => ({ serverId: 'w', metricId: 'cpu', value: s, ts: nowMs - s * 1000 }))
  const grid = accept(json({ samples: rows([10, 20, 30, 110]) }), 'rows').sections.map(({ section }) => [
    section.stepMs,
    section.slotCount,
  ])
  assert.deepEqual(grid, [[10_000, 11]].slice(1).concat([[10_000, 11]]))
  assert.equal(accept(json({ samples: rows([0, 9, 100, 1001]) }), 'rows').sections.length, 4)
})

test('samples scattered over too many sections are refused whole, with what to do', () => {
  const samples = Array.from({ length: 5_001 }, (_, i) => ({
    serverId: 'w',
    metricId: `m${i % 5}`,
    value: 1,
    ts: nowMs - 1000 * (i * 8 + (i % 7)),
  }))
  assert.throws(() => accept(json({ samples }), 'rows'), { id: 'body-too-large' })
})
