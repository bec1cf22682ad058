/**
 * Samples <-> Avro bytes: what agents ship (SampleBatch) and what the log keeps (SampleRecord). Layouts and their reasons:
 * docs/formats.md.
 *
 * Both carry the same thing, a block: a time grid (startMs, stepMs, slotCount), a list of series, and one matrix of
 * little-endian float64, series after series, NaN = gap. The series list is itself Avro, kept as opaque bytes inside
 * the block: an agent sends equal bytes every 15 s, so a reader recognises the list with one memcmp and never decodes
 * a string twice.
 *
 * A batch is framed as an Avro single-object encoding (C3 01, then the 8-byte CRC-64-AVRO fingerprint of the writer's
 * schema, little-endian; https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding), so that a
 * collector of one version reads agents of another. A record's framing belongs to the log: one byte here, the version of
 * its schema (released-schemas.ts). Old versions of both are read as if they were written today.
 */
import { readSampleBatch } from './batch-reader.ts'
import { releasedSchemas } from './released-schemas.ts'
import { type SeriesRef, sortedLabels } from './series-identity.ts'
import { type SchemaVersion, VersionedType } from './versioned-type.ts'

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
  override readonly name: string = 'CodecError'
}

/** A batch of a version that is not known here. */
export class UnknownSchemaError extends CodecError {
  override readonly name = 'UnknownSchemaError'
}

/** What a decoder may be made to build by bytes of a stranger, about 100 B to 400 B an item. */
const itemsMax = {
  // Blocks. An agent sends one; a backlog of a day in 15 s blocks is 5,760.
  batch: 10_000,
  // Series and labels: 7,000 series x (1 + 20 labels) fit.
  list: 150_000,
  // Sections: 1 MiB of the smallest ones (about 40 B) is 26,000.
  record: 200_000,
}
const batchType = new VersionedType(releasedSchemas('sample-batch'), itemsMax.batch)
const listType = new VersionedType(releasedSchemas('series-list'), itemsMax.list)

/** C3 01, then the fingerprint of what we write. */
const batchMagic = Buffer.concat([Buffer.from([0xc3, 0x01]), batchType.current.fingerprint])

/** Avro binary of the series, labels sorted by name. Equal series in equal order give equal bytes. */
export function encodeSeriesList(series: readonly SeriesRef[]): Buffer {
  return listType.encode({
    series: series.map(({ metricId, labels }) => ({
      metricId,
      labels: sortedLabels(labels).map(([name, value]) => ({ name, value })),
    })),
  })
}

/** @throws CodecError when the bytes are not a series list. */
export function decodeSeriesList(bytes: Uint8Array): SeriesRef[] {
  const list = decoded('series list', () => listType.decode(1, asBuffer(bytes))) as {
    series: { metricId: string; labels: { name: string; value: string }[] }[]
  }
  return list.series.map(({ metricId, labels }) => {
    // Null prototype: a label may be called anything, `constructor` included.
    const map: Record<string, string> = Object.create(null)
    for (const { name, value } of labels) map[name] = value
    return { metricId, labels: map }
  })
}

export function encodeSampleBatch(batch: SampleBatch): Buffer {
  return Buffer.concat([batchMagic, batchType.encode({ ...batch, blocks: batch.blocks.map(bufferBlock) })])
}

/**
 * Lists and matrices may be views of the bytes.
 * @throws CodecError on a wrong frame or truncated bytes, UnknownSchemaError on an unknown writer's schema.
 */
export function decodeSampleBatch(bytes: Buffer): SampleBatch {
  if (bytes.length < 10 || bytes[0] !== 0xc3 || bytes[1] !== 0x01) {
    throw new CodecError('the body does not start with C3 01, the mark of an Avro single-object encoding')
  }
  const version = batchType.versionOf(bytes.subarray(2, 10))?.version
  if (version === undefined) {
    throw new UnknownSchemaError(`no schema with fingerprint ${bytes.toString('hex', 2, 10)} is known here`)
  }
  const body = bytes.subarray(10)
  const usual = version === batchType.current.version ? readSampleBatch(body, itemsMax.batch) : undefined
  return usual ?? (decoded('sample batch', () => batchType.decode(version, body)) as SampleBatch)
}

/**
 * Records as a release with these schemas writes and reads them; recordCodec is today's.
 *
 *     payload = version (1 byte) | Avro body
 */
export class RecordCodec {
  /** Oldest first. */
  readonly versions: readonly SchemaVersion[]
  readonly current: SchemaVersion
  readonly #type: VersionedType

  /** @param schemas oldest first. */
  constructor(schemas: readonly unknown[]) {
    this.#type = new VersionedType(schemas, itemsMax.record)
    this.versions = this.#type.versions
    this.current = this.#type.current
  }

  encode(record: SampleRecord): Buffer {
    return this.#payload({ ...record, sections: record.sections.map(bufferBlock) })
  }

  /** @throws CodecError on an unknown version or truncated bytes. */
  decode(payload: Buffer): SampleRecord {
    const version = payload[0]
    if (version === undefined || this.versions[version - 1] === undefined) {
      throw new CodecError(`record version ${version ?? '(empty)'} is none of 1 to ${this.current.version}`)
    }
    return decoded('sample record', () => this.#type.decode(version, payload.subarray(1))) as SampleRecord
  }

  /** The version with this fingerprint, if it is one of ours. */
  versionOf(fingerprint: Buffer): SchemaVersion | undefined {
    return this.#type.versionOf(fingerprint)
  }

  /**
   * Bodies of a schema that is none of ours (a newer release's) to payloads of our newest version.
   * @throws CodecError when that schema does not resolve to ours; so does what it returns, for bytes it did not make.
   */
  translatorFrom(writerSchema: unknown): (body: Buffer) => Buffer {
    const what = 'schema that this release can read'
    const decode = decoded(what, () => this.#type.decoderFor(writerSchema))
    return (body) => this.#payload(decoded('sample record of that schema', () => decode(body)))
  }

  #payload(record: unknown): Buffer {
    return Buffer.concat([Buffer.from([this.current.version]), this.#type.encode(record)])
  }
}

export const recordCodec = new RecordCodec(releasedSchemas('sample-record'))

export function encodeSampleRecord(record: SampleRecord): Buffer {
  return recordCodec.encode(record)
}

/** @throws CodecError on an unknown version or truncated bytes. */
export function decodeSampleRecord(bytes: Buffer): SampleRecord {
  return recordCodec.decode(bytes)
}

function decoded<T>(what: string, decode: () => T): T {
  try {
    return decode()
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
