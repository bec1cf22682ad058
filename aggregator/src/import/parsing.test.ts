/** What is read of a file is what is in it: numbers to the last bit, lines wherever chunks end, and every point counted once. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readCsvHeader, splitCsv } from './csv-header.ts'
import { CsvLines } from './csv-lines.ts'
import { detectFormat, type ImportFormat } from './detect-format.ts'
import { refusedCount } from './import-counts.ts'
import { parseImportOptions } from './import-options.ts'
import { ImportSeriesTable } from './import-series.ts'
import { JsonLines } from './json-lines.ts'
import { type ParseContext, timeToMs } from './line-parser.ts'
import { LineSplitter } from './line-splitter.ts'
import { NumberScanner } from './number-scanner.ts'
import { PointBatch } from './point-batch.ts'
import { VictoriaLines } from './victoria-lines.ts'

const baseMs = Date.UTC(2027, 0, 15, 9)
const bounds = { fromMs: baseMs - 86_400_000, throughMs: baseMs + 86_400_000 }

interface Parsed {
  readonly points: Record<string, [ms: number, value: number][]>
  readonly refused: Record<string, number>
  readonly examples: readonly string[]
}

function parse(format: ImportFormat, lines: readonly (string | Buffer)[], args: readonly string[] = []): Parsed {
  const mapping = parseImportOptions(['x', ...args]).mapping(format)
  const context: ParseContext = { series: new ImportSeriesTable('t'), batch: new PointBatch(bounds), lineNumber: 0 }
  const [first = ''] = lines
  const parser =
    format === 'csv'
      ? new CsvLines(readCsvHeader(String(first), mapping), mapping, context)
      : format === 'jsonl'
        ? new JsonLines(mapping, context)
        : new VictoriaLines(mapping, context)
  for (const line of format === 'csv' ? lines.slice(1) : lines) {
    context.lineNumber++
    // Not at the beginning of its buffer, and not at its end.
    const bytes = Buffer.concat([Buffer.from('xx'), Buffer.from(line), Buffer.from('9')])
    parser.line(bytes, { from: 2, to: bytes.length - 1 })
  }
  const points: Parsed['points'] = {}
  let count = 0
  for (const { server, series, runs } of context.batch.entries) {
    const labels = Object.entries(series.labels).map(([name, value]) => `${name}=${value}`)
    const { seconds = [], values = [], count: runCount = 0 } = runs ?? {}
    count += runCount
    if (runCount === 0) continue
    points[[server.serverId, series.metricId, ...labels].join(' ')] = Array.from({ length: runCount }, (_, index) => [
      (seconds[index] as number) * 1_000 - baseMs,
      values[index] as number,
    ])
  }
  const { totals } = context.batch
  assert.equal(totals.read, count + refusedCount(totals), 'a point was not counted, or twice')
  return { points, refused: { ...totals.refused }, examples: totals.examples }
}

const victoria = (metric: object, values: readonly unknown[], timestamps: readonly unknown[]): string =>
  JSON.stringify({ metric, values, timestamps })

describe('a number', () => {
  const scanned = (text: string): number | undefined => {
    const scanner = new NumberScanner()
    const bytes = Buffer.from(`[${text},`)
    return scanner.scan(bytes, 1, bytes.length) === 1 + text.length ? scanner.value : undefined
  }
  it('is the double that JSON.parse makes of it (property)', () => {
    const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,19})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/)
    fc.assert(
      fc.property(digits, (text) => Object.is(scanned(text), JSON.parse(text))),
      { numRuns: 20_000 },
    )
    const doubles = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(doubles, (value) => Object.is(scanned(JSON.stringify(value)), JSON.parse(JSON.stringify(value)))),
    )
  })
  it('is none without digits where they belong', () => {
    for (const text of ['', '-', '.', '.5', '1.', '-.1', '1e', '1e+', 'x']) assert.equal(scanned(text), undefined, text)
  })
})

describe('lines', () => {
  it('are the same wherever chunks end, and their offsets those of the file (property)', () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'b', '\r', 'é'), maxLength: 12 })
    const cuts = fc.array(fc.nat(200), { maxLength: 12 })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), cuts, fc.boolean(), (lines, at, ended) => {
        const content = Buffer.from(lines.join('\n') + (ended ? '\n' : ''))
        const found: string[] = []
        const splitter = new LineSplitter(16, {
          line: (bytes, { from, to }, offset) => found.push(`${offset} ${bytes.toString('utf8', from, to)}`),
          tooLong: (bytes, offset) => found.push(`${offset} ${bytes} bytes`),
        })
        const places = [0, ...at.filter((one) => one <= content.length).sort((a, b) => a - b), content.length]
        for (const [index, from] of places.entries()) splitter.push(content.subarray(from, places[index + 1]))
        splitter.end()
        const wanted: string[] = []
        let offset = 0
        for (const one of content.toString().split('\n')) {
          const bytes = Buffer.byteLength(one)
          const text = one.replace(/\r$/, '')
          if (bytes > 16) wanted.push(`${offset} ${bytes} bytes`)
          else if (text !== '') wanted.push(`${offset} ${text}`)
          offset += bytes + 1
        }
        assert.deepEqual(found, wanted)
        assert.equal(splitter.offset, content.length)
      }),
    )
  })
})

describe("VictoriaMetrics' export", () => {
  it('is read from its bytes as JSON.parse reads it (property)', () => {
    const value = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.constant(null))
    const point = fc.tuple(value, fc.integer({ min: -90_000, max: 90_000 }))
    const label = fc.string({ unit: fc.constantFrom('a', '"', '\\', 'é', '}', ',', '𝄞'), minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(fc.array(point, { maxLength: 50 }), label, (points, text) => {
        const values = points.map(([one]) => one)
        const times = points.map(([, offset]) => baseMs + offset * 1_000)
        const line = victoria({ __name__: 'up', instance: 'a:1', text }, values, times)
        assert.deepEqual(parse('victoria-metrics', [line]), parse('victoria-metrics', [` ${line}`]))
      }),
    )
  })
  it('takes the server from the first label that is asked for, and the rest as labels', () => {
    const line = (labels: object) => victoria({ __name__: 'up', ...labels }, [1], [baseMs])
    const names = (labels: object, ...args: string[]) =>
      Object.keys(parse('victoria-metrics', [line(labels)], args).points)
    assert.deepEqual(names({ host: 'h', instance: 'i', job: 'j' }), ['i up host=h job=j'])
    assert.deepEqual(names({ host: 'h', instance: '' }), ['h up'])
    assert.deepEqual(names({ node: 'n' }, '--server-label', 'pod,node'), ['n up'])
    assert.deepEqual(names({ job: 'j' }, '--server-id', 'all'), ['all up job=j'])
    assert.deepEqual(parse('victoria-metrics', [line({ job: 'j' })]).refused, { 'server-id-invalid': 1 })
  })
  it('counts what it cannot take by its reason, and keeps its neighbours', () => {
    const up = { __name__: 'up', instance: 'i' }
    const { points, refused, examples } = parse('victoria-metrics', [
      victoria(up, [1, null, 3], [baseMs, baseMs + 1_000, baseMs + 2_000]),
      '{"metric":{"__name__":"up","instance":"i"},"values":[1,2],"timestamps":[1]}',
      '{"metric":{"__name__":"up","instance":"i"},"values":[1',
      '[]',
      victoria(up, ['Infinity', 1e300, 5], [baseMs + 3_000, baseMs + 4_000, baseMs + 5_000]),
      victoria(up, [1, 1, 1], [bounds.fromMs - 1, bounds.throughMs + 1, null]),
      victoria({ __name__: 'a b', instance: 'i' }, [1, 2, null], [baseMs, baseMs, baseMs]),
      victoria({ ...up, __other__: 'x' }, [1], [baseMs]),
      victoria(up, [-0], [baseMs + 6_000]),
    ])
    assert.deepEqual(points, {
      'i up': [
        [0, 1],
        [2_000, 3],
        [5_000, 5],
        [6_000, 0],
      ],
    })
    assert.deepEqual(refused, {
      'line-unreadable': 3,
      'value-not-finite': 1,
      'value-too-large': 1,
      'time-too-old': 1,
      'time-in-future': 1,
      'time-invalid': 1,
      'metric-id-invalid': 2,
      'labels-invalid': 1,
    })
    assert.equal(examples[0], 'line 2: line-unreadable: it has 2 values and 1 timestamps')
  })
})

describe('JSON lines', () => {
  it('are samples, rows or columns', () => {
    const sample = { serverId: 's', metricId: 'm', labels: { b: '2', a: '1' }, value: 1.5, ts: baseMs }
    const { points } = parse('jsonl', [
      JSON.stringify(sample),
      JSON.stringify({
        samples: [
          { ...sample, ts: baseMs + 1_000 },
          { ...sample, labels: { a: '1', b: '2' }, ts: baseMs + 2_000 },
        ],
      }),
      JSON.stringify({
        serverId: 's',
        startMs: baseMs,
        stepMs: 2_000,
        series: [{ metricId: 'n', values: [1, null, 0.5] }],
      }),
    ])
    assert.deepEqual(points, {
      's m b=2 a=1': [
        [0, 1.5],
        [1_000, 1.5],
        [2_000, 1.5],
      ],
      's n': [
        [0, 1],
        [4_000, 0.5],
      ],
    })
  })
  it('with something wrong lose that and nothing else', () => {
    const sample = { serverId: 's', metricId: 'm', value: 1, ts: baseMs }
    const { points, refused } = parse('jsonl', [
      '{"serverId":',
      '7',
      JSON.stringify({ samples: [{ ...sample, value: '1' }, { ...sample, serverId: 7 }, sample, null] }),
      JSON.stringify({ ...sample, serverId: '7' }),
      JSON.stringify({ ...sample, ts: '2027' }),
      JSON.stringify({
        serverId: 's',
        startMs: 'x',
        series: [{ metricId: 'm', values: [1, null, 2] }, { metricId: 'm' }],
      }),
    ])
    assert.deepEqual(points, { 's m': [[0, 1]], '7 m': [[0, 1]] })
    assert.deepEqual(refused, {
      'line-unreadable': 4,
      'value-not-a-number': 1,
      'server-id-invalid': 1,
      'time-invalid': 3,
    })
  })
})

describe('CSV', () => {
  it('has its columns by name, in any order, and the rest are labels', () => {
    const { points, refused } = parse('csv', [
      'disk,value,host,metric,timestamp',
      `sda,1.5,h,disk.io,${baseMs}`,
      `"s,""d",2,"h",disk.io,${(baseMs + 1_000) / 1_000}`,
      `,-3e2,h,disk.io,2027-01-15T09:00:02Z`,
      `,4,h,disk.io,"2027-01-15 11:00:03+02:00"`,
      `sda,,h,disk.io,${baseMs + 4_000}`,
      `sda,x,h,disk.io,${baseMs + 5_000}`,
      `sda,1,h,disk.io,2027-01-15T09:00:06`,
      `sda,1,h,disk.io`,
      `sda,1,h,"disk.io,${baseMs}`,
      `sda,+Inf,h,disk.io,${baseMs}`,
    ])
    assert.deepEqual(points, {
      'h disk.io disk=sda': [[0, 1.5]],
      'h disk.io disk=s,"d': [[1_000, 2]],
      'h disk.io': [
        [2_000, -300],
        [3_000, 4],
      ],
    })
    assert.deepEqual(refused, {
      'value-not-a-number': 1,
      'time-invalid': 1,
      'line-unreadable': 2,
      'value-not-finite': 1,
    })
  })
  it('gives back every field as it was written (property)', () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', ' ', 'é'), maxLength: 5 })
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 5 }), (fields) => {
        const line = fields.map((one) => `"${one.replaceAll('"', '""')}"`).join(',')
        assert.deepEqual(splitCsv(line, ','), fields)
      }),
    )
  })
  it('tells two series apart however their fields are put together (property)', () => {
    const name = fc.stringMatching(/^[ab]{0,3}$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name, name), { minLength: 1, maxLength: 60 }), (rows) => {
        const lines = rows.map(([a, b, c], second) => `${baseMs + second * 1_000},s,m,1,${a},${b},${c}`)
        const { points } = parse('csv', ['ts,server,metric,value,a,b,c', ...lines])
        assert.equal(Object.keys(points).length, new Set(rows.map((row) => row.join())).size)
        assert.equal(Object.values(points).flat().length, rows.length)
      }),
    )
  })
  it('without a column that is needed says which and how to name it', () => {
    assert.throws(() => parse('csv', ['when,host,metric,value']), /no column is called ts or .* with --time-column/)
    assert.throws(() => parse('csv', ['ts,metric,value']), /no column is called serverId .* --server-label/)
    const args = ['--time-column', 'when', '--metric-id', 'm', '--server-id', 's', '--delimiter', 'tab']
    assert.deepEqual(parse('csv', ['when\tvalue', `${baseMs}\t1`], args).points, { 's m': [[0, 1]] })
  })
})

describe('what a file is', () => {
  it('is told from its first line, or not at all', () => {
    assert.equal(detectFormat(victoria({ __name__: 'up' }, [], [])), 'victoria-metrics')
    assert.equal(detectFormat('{"samples":[{"serv'), 'jsonl')
    assert.equal(detectFormat('\uFEFFts;host;value'), 'csv')
    for (const line of ['', '{}', '1,2,3', '# HELP up', 'up{a="b"} 1'])
      assert.equal(detectFormat(line), undefined, line)
  })
  it('has times in the unit that their size says', () => {
    assert.deepEqual(
      [baseMs / 1_000, baseMs, baseMs * 1e3, baseMs * 1e6].map((written) => timeToMs(written, 'auto')),
      [baseMs, baseMs, baseMs, baseMs],
    )
    assert.equal(timeToMs(5, 'ms'), 5)
  })
})
