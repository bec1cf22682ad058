/**
 * Samples <-> Avro bytes: what agents ship (SampleBatch) and what the log keeps (SampleRecord). The only file that
 * knows avsc. Layouts and their reasons: docs/formats.md.
 *
 * Both carry the same thing, a block: a time grid (startMs, stepMs, slotCount), a list of series, and one matrix of
 * little-endian float64, series after series, NaN = gap. The series list is itself Avro, kept as opaque bytes inside
 * the block: an agent sends equal bytes every 15 s, so a reader recognises the list with one memcmp and never decodes
 * a string twice.
 *
 * A batch is framed as an Avro single-object encoding (C3 01, then the 8-byte CRC-64-AVRO fingerprint of the writer's
 * schema, little-endian; https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding), so that a
 * collector of one version reads agents of another. A record's framing belongs to the log: one version byte here.
 */
import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { type AvroWalk, compileAvroWalk } from './avro-bounds.ts'
import { schemaFingerprint } from './schema-fingerprint.ts'
import { type SeriesRef, sortedLabels } from './series-identity.ts'

/** A time grid, the series in the order of the matrix' rows, and the matrix. */
export interface SampleBlock {
  /** Time of slot 0, ms since the epoch. */
  readonly startMs: number
  readonly stepMs: number
  readonly slotCount: number
  /** encodeSeriesList's bytes. */
  readonly series: Uint8Array
  /** seriesCount x slotCount little-endian float64, NaN = gap. */
  readonly values: Uint8Array
}

export interface SampleBatch {
  readonly serverId: string
  /** The host's clock when it sent this. */
  readonly sentAtMs: number
  readonly blocks: readonly SampleBlock[]
}

/** A block with its owner, as the log keeps it. Grid in whole seconds. */
export interface SampleSection extends SampleBlock {
  readonly tenantId: string
  readonly serverId: string
}

export interface SampleRecord {
  /** The collector's clock, ms since the epoch. */
  readonly receivedAtMs: number
  readonly sections: readonly SampleSection[]
}

/** Thrown for bytes that are not what their framing says; `message` says where. Never retry. */
export class CodecError extends Error {
  override readonly name = 'CodecError'
}

function loadSchema(name: string): avro.Schema {
  return JSON.parse(readFileSync(new URL(`../avro/${name}.avsc`, import.meta.url), 'utf8'))
}

const batchSchema = loadSchema('sample-batch')
const listSchema = loadSchema('series-list')
const recordSchema = loadSchema('sample-record')
const batchType = avro.Type.forSchema(batchSchema)
const listType = avro.Type.forSchema(listSchema)
const recordType = avro.Type.forSchema(recordSchema)

/** What a decoder may be made to build by bytes of a stranger, about 100 B to 400 B an item. */
const boundsOf = new Map<avro.Type, { readonly walk: AvroWalk; readonly itemsMax: number }>([
  // Blocks. An agent sends one; a backlog of a day in 15 s blocks is 5,760.
  [batchType, { walk: compileAvroWalk(batchSchema), itemsMax: 10_000 }],
  // Series and labels: 7,000 series x (1 + 20 labels) fit.
  [listType, { walk: compileAvroWalk(listSchema), itemsMax: 150_000 }],
  // Sections: 1 MiB of the smallest ones (about 40 B) is 26,000.
  [recordType, { walk: compileAvroWalk(recordSchema), itemsMax: 200_000 }],
])

const batchMagic = Buffer.concat([Buffer.from([0xc3, 0x01]), schemaFingerprint(batchSchema)])
/** The framing of a record: version 1, then Avro binary. */
const recordVersion = 1

/** Avro binary of the series, labels sorted by name. Equal series in equal order give equal bytes. */
export function encodeSeriesList(series: readonly SeriesRef[]): Buffer {
  return listType.toBuffer({
    series: series.map(({ metricId, labels }) => ({
      metricId,
      labels: sortedLabels(labels).map(([name, value]) => ({ name, value })),
    })),
  })
}

/** @throws CodecError when the bytes are not a series list. */
export function decodeSeriesList(bytes: Uint8Array): SeriesRef[] {
  const decoded = decode(listType, asBuffer(bytes), 'series list') as {
    series: { metricId: string; labels: { name: string; value: string }[] }[]
  }
  return decoded.series.map(({ metricId, labels }) => {
    // Null prototype: a label may be called anything, `constructor` included.
    const map: Record<string, string> = Object.create(null)
    for (const { name, value } of labels) map[name] = value
    return { metricId, labels: map }
  })
}

export function encodeSampleBatch(batch: SampleBatch): Buffer {
  return Buffer.concat([batchMagic, batchType.toBuffer({ ...batch, blocks: batch.blocks.map(bufferBlock) })])
}

/** @throws CodecError on a wrong frame, an unknown writer's schema, or truncated bytes. */
export function decodeSampleBatch(bytes: Buffer): SampleBatch {
  if (bytes.length < 10 || bytes[0] !== 0xc3 || bytes[1] !== 0x01) {
    throw new CodecError('the body does not start with C3 01, the mark of an Avro single-object encoding')
  }
  if (bytes.compare(batchMagic, 2, 10, 2, 10) !== 0) {
    throw new CodecError(`no schema with fingerprint ${bytes.toString('hex', 2, 10)} is known here`)
  }
  return decode(batchType, bytes.subarray(10), 'sample batch') as SampleBatch
}

export function encodeSampleRecord(record: SampleRecord): Buffer {
  const body = recordType.toBuffer({ ...record, sections: record.sections.map(bufferBlock) })
  return Buffer.concat([Buffer.from([recordVersion]), body])
}

/** @throws CodecError on an unknown version or truncated bytes. */
export function decodeSampleRecord(bytes: Buffer): SampleRecord {
  if (bytes[0] !== recordVersion) {
    throw new CodecError(`record version ${bytes[0] ?? '(empty)'} is not ${recordVersion}`)
  }
  return decode(recordType, bytes.subarray(1), 'sample record') as SampleRecord
}

function decode(type: avro.Type, bytes: Buffer, what: string): unknown {
  try {
    const bounds = boundsOf.get(type)
    bounds?.walk(bytes, bounds.itemsMax)
    return type.fromBuffer(bytes)
  } catch (error) {
    throw new CodecError(`not a ${what}: ${(error as Error).message}`, { cause: error })
  }
}

/** avsc takes only Buffers for `bytes`. */
function bufferBlock<B extends SampleBlock>(block: B): B {
  return { ...block, series: asBuffer(block.series), values: asBuffer(block.values) }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
