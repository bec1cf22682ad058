/**
 * Records in Kafka that name their schema twice: by the registry's id, as every Kafka tool expects it, and by its
 * fingerprint, which means the same for ever and needs no registry. Layouts: docs/formats.md.
 *
 *     value   00 | schema id (4, big-endian) | Avro body            once the registry has given an id
 *             C3 01 | fingerprint (8)        | Avro body            until then (Avro single-object encoding)
 *     header  minutely = fingerprint (8) | CRC-32 of the value (4, big-endian)
 *
 * A record whose schema is one of our own releases' is read without the registry and without copying: the byte before the
 * body becomes the payload's version byte.
 */
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { CodecError, type RecordCodec } from '@minutely/schema/sample-codec'
import { type FramedRecord, type RecordFraming, UnreadableRecordError } from '../kafka-log/record-framing.ts'
import type { Reading, SchemaLookup } from './schema-lookup.ts'
import type { SchemaRegistryMetrics } from './schema-registry-metrics.ts'

export const framingHeader = 'minutely'
const headerBytes = 12
const confluentBytes = 5
const singleObjectBytes = 10

export interface RegistryFramingDeps {
  readonly codec: RecordCodec
  readonly lookup: SchemaLookup
  readonly metrics: SchemaRegistryMetrics
}

/** What the first bytes of a value say. */
interface Frame {
  readonly bodyAt: number
  readonly schemaId?: number
  readonly fingerprint?: Buffer
}

export class RegistryFraming implements RecordFraming {
  readonly #deps: RegistryFramingDeps
  readonly #fingerprint: Buffer
  /** All before the body. */
  #prefix: Buffer

  constructor(deps: RegistryFramingDeps) {
    this.#deps = deps
    this.#fingerprint = deps.codec.current.fingerprint
    this.#prefix = Buffer.concat([Buffer.from([0xc3, 0x01]), this.#fingerprint])
    this.#showFraming('single-object')
  }

  /** From now on records are written with the registry's id of our schema. */
  useSchemaId(id: number): void {
    this.#prefix = Buffer.alloc(confluentBytes)
    this.#prefix.writeInt32BE(id, 1)
    this.#showFraming('confluent')
  }

  frame(payload: Buffer): FramedRecord {
    const { version } = this.#deps.codec.current
    assert(payload[0] === version, `BUG: a payload of version ${payload[0]} where ${version} is written`)
    const value = Buffer.allocUnsafe(this.#prefix.length + payload.length - 1)
    this.#prefix.copy(value)
    payload.copy(value, this.#prefix.length, 1)
    const header = Buffer.allocUnsafe(headerBytes)
    this.#fingerprint.copy(header)
    header.writeUInt32BE(crc32(value), 8)
    return { value, headers: { [framingHeader]: header } }
  }

  unframe({ value, headers }: FramedRecord): Buffer | Promise<Buffer> {
    const header = headers[framingHeader]
    if (header !== undefined) verifyChecksum(value, header)
    const frame = frameOf(value)
    const named = header?.subarray(0, 8)
    if (named !== undefined && frame.fingerprint?.equals(named) === false) {
      throw badFrame(`names schema ${frame.fingerprint.toString('hex')} and its header ${named.toString('hex')}`)
    }
    const reading = this.#readingOf(frame, named)
    if (reading instanceof Promise) return reading.then((reading) => payloadOf(value, frame, reading))
    return payloadOf(value, frame, reading)
  }

  #readingOf({ fingerprint, schemaId }: Frame, named: Buffer | undefined): Reading | Promise<Reading> {
    const { lookup } = this.#deps
    const known = named ?? fingerprint
    if (known !== undefined) return lookup.byFingerprint(known, schemaId)
    assert(schemaId !== undefined, 'BUG: a frame with neither fingerprint nor id')
    return lookup.byId(schemaId)
  }

  #showFraming(active: 'confluent' | 'single-object'): void {
    for (const framing of ['confluent', 'single-object']) {
      this.#deps.metrics.framing.set({ framing }, framing === active ? 1 : 0)
    }
  }
}

function verifyChecksum(value: Buffer, header: Buffer): void {
  if (header.length !== headerBytes) throw badFrame(`has a header of ${header.length} bytes instead of ${headerBytes}`)
  const expected = header.readUInt32BE(8)
  const actual = crc32(value)
  if (actual === expected) return
  const detail = `CRC-32 ${actual.toString(16)} instead of ${expected.toString(16)}`
  throw new UnreadableRecordError('checksum', `The record's ${value.length} bytes were changed on their way: ${detail}`)
}

function frameOf(value: Buffer): Frame {
  const first = value[0]
  if (first === 0x00) {
    if (value.length < confluentBytes) throw truncated(value)
    return { bodyAt: confluentBytes, schemaId: value.readInt32BE(1) }
  }
  if (first === 0xc3 && (value[1] ?? 0x01) === 0x01) {
    if (value.length < singleObjectBytes) throw truncated(value)
    return { bodyAt: singleObjectBytes, fingerprint: value.subarray(2, 10) }
  }
  if (first === undefined) throw truncated(value)
  throw badFrame(`begins with ${value.toString('hex', 0, 2)}, which is neither 00 (schema id) nor c301 (fingerprint)`)
}

function payloadOf(value: Buffer, { bodyAt }: Frame, reading: Reading): Buffer {
  if (reading.kind === 'ours') {
    value[bodyAt - 1] = reading.version
    return value.subarray(bodyAt - 1)
  }
  if (reading.kind === 'incompatible') {
    throw new UnreadableRecordError('unknown-schema', `The record's schema cannot be read here: ${reading.detail}`)
  }
  try {
    return reading.translate(value.subarray(bodyAt))
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    throw new UnreadableRecordError('undecodable', `The record is damaged: ${error.message}`, { cause: error })
  }
}

function badFrame(detail: string): UnreadableRecordError {
  return new UnreadableRecordError('bad-frame', `The record ${detail}`)
}

function truncated(value: Buffer): UnreadableRecordError {
  return new UnreadableRecordError('truncated', `The record ends within its frame, after ${value.length} bytes`)
}
