/**
 * Promise 6 for single requests: no body, however made, lifts the collector's memory more than 64 MiB above what it was, 96 MiB where it is
 * a million doubles of 8 bytes (41 to 69 MiB in a dozen runs: how much of it is garbage not yet collected is V8's to say). The
 * collector has a process of its own, so that what is measured is it and not the maker of the bodies.
 */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { encodeSampleBatch, encodeSeriesList } from '@minutely/schema/sample-codec'
import { jsonLimits } from './json-bounds.ts'

const mebibyte = 1_048_576
const riseMebibytesMax = { 'application/json': 64, 'application/avro': 96 } as const
const decodedBytesMax = 8 * mebibyte

interface Memory {
  readonly nowBytes: number
  readonly highestBytes: number
}

/** Runs the work against a collector that has served ordinary requests for a while. */
async function withCollector(
  work: (collector: {
    send: (body: Buffer, type: string) => Promise<number>
    measure: () => Promise<Memory>
  }) => Promise<void>,
): Promise<void> {
  const child = fork(fileURLToPath(new URL('../test/collector-process.ts', import.meta.url)))
  try {
    const [{ url }] = (await once(child, 'message')) as [{ url: string }]
    const measure = async (): Promise<Memory> => {
      child.send('measure')
      const [memory] = (await once(child, 'message')) as [Memory]
      return memory
    }
    for (let round = 0; round < 20; round++) await post(url, rows(5_000), 'application/json')
    await work({ send: (body, type) => post(url, body, type), measure })
  } finally {
    child.kill('SIGKILL')
  }
}

/** Uncompressed: the collector in question takes bodies of 8 MiB as they are, so that no limit on compression helps it. */
async function post(url: string, body: Buffer, type: string): Promise<number> {
  const answer = await fetch(`${url}/v1/samples`, { method: 'POST', headers: { 'content-type': type }, body })
  await answer.arrayBuffer()
  return answer.status
}

const nowMs = Math.floor(Date.now() / 1000) * 1000
const random = (index: number): string => ((index * 2_654_435_761) % 4_294_967_296).toString(36)

function rows(
  count: number,
  row = (index: number): object => ({ value: index, ts: nowMs - (index % 1000) * 1000 }),
): Buffer {
  const samples = Array.from({ length: count }, (_, index) => ({
    serverId: 'w',
    metricId: `m${index % 50}`,
    ...row(index),
  }))
  return Buffer.from(JSON.stringify({ samples })).subarray(0, decodedBytesMax)
}

/** Items up to 8 MiB. */
function filled(
  head: string,
  item: (index: number) => string,
  tail: string,
  countMax = Number.POSITIVE_INFINITY,
): Buffer {
  const parts: string[] = [head]
  let length = head.length + tail.length
  for (let index = 0; index < countMax; index++) {
    const part = item(index)
    length += part.length + 1
    if (length > decodedBytesMax) break
    parts.push(index === 0 ? part : `,${part}`)
  }
  return Buffer.from(parts.join('') + tail)
}

function scatteredBlock(slotCount: number, stepMs: number): Buffer {
  const series = Array.from({ length: Math.floor(1_000_000 / slotCount) }, (_, index) => ({
    metricId: `m${index}`,
    labels: {},
  }))
  const values = Float64Array.from({ length: series.length * slotCount }, (_, index) =>
    Number.parseInt(random(index), 36),
  )
  const startMs = nowMs - slotCount * stepMs
  const blocks = [{ startMs, stepMs, slotCount, series: encodeSeriesList(series), values: Buffer.from(values.buffer) }]
  return encodeSampleBatch({ serverId: 'w', sentAtMs: nowMs, blocks })
}

const json = 'application/json' as const
const avro = 'application/avro' as const
const columns = '{"serverId":"w","startMs":0,"series":[{"metricId":"m","values":['
const cases: readonly (readonly [name: string, type: keyof typeof riseMebibytesMax, make: () => Buffer])[] = [
  ['columns of numbers', json, () => filled(columns, (i) => String(i % 97), ']}]}')],
  [
    'columns at the limit of values',
    json,
    () => filled(columns, (i) => `0.${random(i)}`.replace(/[a-z]/g, '7'), ']}]}', jsonLimits.elements - 10),
  ],
  [
    'columns of different strings',
    json,
    () => filled(columns, (i) => `"${random(i)}"`, ']}]}', jsonLimits.elements - 10),
  ],
  ['columns of two-byte strings', json, () => filled(columns, (i) => `"é${i}中"`, ']}]}', 500_000)],
  ['rows', json, () => rows(74_000)],
  ['rows of many servers', json, () => rows(60_000, (i) => ({ serverId: `w${i}`, value: 1, ts: nowMs }))],
  ['rows of many metrics', json, () => rows(60_000, (i) => ({ metricId: `m${random(i)}`, value: 1, ts: nowMs }))],
  ['rows of bad metrics', json, () => rows(60_000, (i) => ({ metricId: `-${random(i)}`, value: 1, ts: nowMs }))],
  [
    'rows scattered in time',
    json,
    () => rows(60_000, (i) => ({ value: 1, ts: nowMs - ((i * 7919) % 172_000) * 1000 })),
  ],
  ['rows of labels', json, () => rows(45_000, (i) => ({ labels: { a: random(i), b: 'x' }, value: 1, ts: nowMs }))],
  ['1.2 million keys', json, () => filled('{', (i) => `"${i.toString(36)}":0`, '}', 1_200_000)],
  [
    'objects of different keys',
    json,
    () => filled('{"series":[', (i) => `{"a${random(i)}":0}`, ']}', jsonLimits.containers - 10),
  ],
  ['4 million empty arrays', json, () => filled('{"series":[', () => '[]', ']}')],
  ['arrays at the limit', json, () => filled('{"series":[', (i) => `[${i}]`, ']}', jsonLimits.containers - 10)],
  ['deep', json, () => Buffer.alloc(decodedBytesMax, '[')],
  ['one string', json, () => Buffer.from(`"${random(1).repeat(1_000_000)}"`)],
  ['escapes', json, () => Buffer.from(`{"serverId":"${'\\u4e2d'.repeat(1_300_000)}","series":[]}`)],
  ['truncated', json, () => rows(100_000).subarray(0, decodedBytesMax - 7)],
  ['avro of 1,000,000 values', avro, () => scatteredBlock(200, 1000)],
  ['avro off the grid', avro, () => scatteredBlock(200, 1001)],
  ['avro off the grid, padded', avro, () => scatteredBlock(200, 7500)],
  ['avro scattered', avro, () => scatteredBlock(20_000, 8500)],
  ['avro scattered over few grids', avro, () => scatteredBlock(2_500, 8500)],
  [
    'avro of labels',
    avro,
    () => {
      const label = Buffer.from([2, 0x61, 2, 0x62])
      const list = Buffer.concat([
        Buffer.from([2, 0, 0x80, 0xf1, 0x04]),
        ...Array.from({ length: 39_999 }, () => label),
      ])
      return encodeSampleBatch({
        serverId: 'w',
        sentAtMs: 0,
        blocks: [{ startMs: 0, stepMs: 1, slotCount: 1, series: list, values: Buffer.alloc(8) }],
      })
    },
  ],
]

for (const [name, type, make] of cases) {
  const atMost = riseMebibytesMax[type]
  test(`${name}: at most ${atMost} MiB`, (context) =>
    withCollector(async ({ send, measure }) => {
      const body = make()
      const { nowBytes } = await measure()
      const status = await send(body, type)
      const { highestBytes } = await measure()
      const riseMebibytes = Math.round((highestBytes - nowBytes) / mebibyte)
      context.diagnostic(`${status}: ${(body.length / mebibyte).toFixed(1)} MiB lift memory by ${riseMebibytes} MiB`)
      assert.ok(highestBytes - nowBytes <= atMost * mebibyte, `memory rose by ${riseMebibytes} MiB`)
    }))
}
