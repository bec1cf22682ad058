/**
 * What hour blocks (schema/src/hour-block) take and cost: bytes for each series and minute of each kind of values, beside other ways to
 * write the same minutes; CPU to encode and decode, as ratios to the same minutes as plain rows of 36 bytes and as JSON in the same run.
 *
 *   node_modules/.bin/node loadtest/src/hour-block-bench.ts [--hours 200] [--rounds 20]
 *
 * Sizes are of the bytes alone: a database adds its row and index.
 */
import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { constants, zstdCompressSync } from 'node:zlib'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns, type MinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { allKinds, bitsOf, fleetMix, hourOf } from '@minutely/schema/hour-block/test-hours'

const { values: options } = parseArgs({
  options: { hours: { type: 'string', default: '200' }, rounds: { type: 'string', default: '20' } },
})
const [hourCount, rounds] = [Number(options.hours), Number(options.rounds)]
const rowBytes = 36
/** Blocks in one row of a table, as a later step might store them. */
const grouped = 24
const encoder = new HourBlockEncoder()
const decoder = new HourBlockDecoder()
const target = createMinuteColumns(minutesPerHour)
const say = (text: string): void => void process.stdout.write(`${text}\n`)

const hoursOf = new Map(
  Object.entries(allKinds).map(([name, kind]) => [
    name,
    Array.from({ length: hourCount }, (_, seed) => hourOf(kind, seed)),
  ]),
)
reportSizes()
reportCosts()

function reportSizes(): void {
  const ways: readonly (readonly [string, (hour: MinuteColumns) => Buffer])[] = [
    ['hour block', (hour) => encoder.encode(hour, 0)],
    ['+ zstd', (hour) => zstd(encoder.encode(hour, 0))],
    ['rows', plainRows],
    ['rows + zstd', (hour) => zstd(plainRows(hour))],
    ['columns + zstd', (hour) => zstd(plainColumns(hour))],
    ['JSON', jsonOf],
    ['JSON + zstd', (hour) => zstd(jsonOf(hour))],
  ]
  say(`bytes for each series and minute, ${hourCount} hours of each kind\n`)
  say(`| kind | ${ways.map(([name]) => name).join(' | ')} | ${grouped} blocks + zstd |`)
  say(`|---|${'--:|'.repeat(ways.length + 1)}`)
  const mix = new Float64Array(ways.length + 1)
  for (const [name, hours] of hoursOf) {
    const sizes = ways.map(([, write]) => perMinute(hours.reduce((bytes, hour) => bytes + write(hour).length, 0)))
    sizes.push(perMinute(groupedBytes(hours)))
    if (name in fleetMix) for (const [way, size] of sizes.entries()) mix[way] = (mix[way] as number) + size
    say(`| ${name} | ${sizes.map((size) => size.toFixed(2)).join(' | ')} |`)
  }
  const kinds = Object.keys(fleetMix).length
  say(`| **mix** of the first ${kinds} | ${[...mix].map((size) => (size / kinds).toFixed(2)).join(' | ')} |\n`)
}

function perMinute(bytes: number): number {
  return bytes / (hourCount * minutesPerHour)
}

function groupedBytes(hours: readonly MinuteColumns[]): number {
  let bytes = 0
  for (let from = 0; from < hours.length; from += grouped) {
    bytes += zstd(Buffer.concat(hours.slice(from, from + grouped).map((hour) => encoder.encode(hour, 0)))).length
  }
  return bytes
}

/** The smaller of it and what it was, as anybody would store it. */
function zstd(bytes: Buffer): Buffer {
  const packed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 9 } })
  return packed.length < bytes.length ? packed : bytes
}

function plainRows({ seenLow, seenHigh, min, max, sum }: MinuteColumns): Buffer {
  const bytes = Buffer.allocUnsafe(minutesPerHour * rowBytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let minute = 0, at = 0; minute < minutesPerHour; minute++, at += rowBytes) {
    view.setUint32(at, minute, true)
    view.setInt32(at + 4, seenLow[minute] as number, true)
    view.setInt32(at + 8, seenHigh[minute] as number, true)
    view.setFloat64(at + 12, min[minute] as number, true)
    view.setFloat64(at + 20, max[minute] as number, true)
    view.setFloat64(at + 28, sum[minute] as number, true)
  }
  return bytes
}

function readRows(bytes: Buffer, { seenLow, seenHigh, min, max, sum }: MinuteColumns): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < bytes.length; at += rowBytes) {
    const minute = view.getUint32(at, true)
    seenLow[minute] = view.getInt32(at + 4, true)
    seenHigh[minute] = view.getInt32(at + 8, true)
    min[minute] = view.getFloat64(at + 12, true)
    max[minute] = view.getFloat64(at + 20, true)
    sum[minute] = view.getFloat64(at + 28, true)
  }
}

function plainColumns(hour: MinuteColumns): Buffer {
  return Buffer.concat(
    Object.values(hour).map((column) => Buffer.from(column.buffer, column.byteOffset, column.byteLength)),
  )
}

function jsonOf(hour: MinuteColumns): Buffer {
  return Buffer.from(JSON.stringify(Object.values(hour).map((column) => [...column])))
}

function readJson(bytes: Buffer, columns: MinuteColumns): void {
  const read = JSON.parse(bytes.toString('latin1')) as number[][]
  for (const [index, column] of Object.values(columns).entries()) column.set(read[index] ?? [])
}

function reportCosts(): void {
  const hours = Object.keys(fleetMix).flatMap((name) => hoursOf.get(name) ?? [])
  const ways = [
    { name: 'rows', write: plainRows, read: readRows },
    { name: 'JSON', write: jsonOf, read: readJson },
    {
      name: 'hour block',
      write: (hour: MinuteColumns) => encoder.encode(hour, 0),
      read: (bytes: Buffer, columns: MinuteColumns) => void decoder.decode(bytes, columns, 0),
    },
  ]
  const costs = ways.map(({ name, write, read }) => {
    const bytes = hours.map(write)
    for (const [index, hour] of hours.entries()) {
      read(bytes[index] as Buffer, target)
      assert.deepEqual(bitsOf(target, 0), bitsOf(hour, 0), name)
    }
    return { name, writeNs: nsOf(hours, (hour) => write(hour)), readNs: nsOf(bytes, (block) => read(block, target)) }
  })
  say(`CPU for each series and minute of the mix, best of ${rounds} rounds\n`)
  say('| | encode ns | to rows | to JSON | decode ns | to rows | to JSON |\n|---|--:|--:|--:|--:|--:|--:|')
  const [rows, json] = costs
  for (const { name, writeNs, readNs } of costs) {
    const ratios = (ns: number, key: 'writeNs' | 'readNs'): string =>
      [rows, json].map((base) => (ns / (base?.[key] ?? ns)).toFixed(2)).join(' | ')
    say(
      `| ${name} | ${writeNs.toFixed(0)} | ${ratios(writeNs, 'writeNs')} | ${readNs.toFixed(1)} | ${ratios(readNs, 'readNs')} |`,
    )
  }
}

/** Of the best round: others were disturbed. */
function nsOf<T>(items: readonly T[], work: (item: T) => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const startedAt = process.cpuUsage()
    for (const item of items) work(item)
    const { user, system } = process.cpuUsage(startedAt)
    best = Math.min(best, ((user + system) * 1_000) / (items.length * minutesPerHour))
  }
  return best
}
