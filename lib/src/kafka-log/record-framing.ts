/**
 * How a sample record stands in a Kafka record: value and headers. The framing of production names the schema it was
 * written with; PlainFraming only guards the bytes, for tests and for a log without a registry.
 */
import { crc32 } from 'node:zlib'

export interface FramedRecord {
  readonly value: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
}

export interface RecordFraming {
  /** `payload`: what encodeSampleRecord made. */
  frame(payload: Buffer): FramedRecord
  /**
   * Without waiting whenever the schema is known.
   * @throws UnreadableRecordError, SchemaUnavailableError
   */
  unframe(record: FramedRecord): Buffer | Promise<Buffer>
}

/** The record can never be read: it goes to the dead letters. */
export class UnreadableRecordError extends Error {
  override readonly name = 'UnreadableRecordError'
  /** In kebab-case: bad-frame, checksum, unknown-schema, ... */
  readonly reason: string
  constructor(reason: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}

/** The schema cannot be had now: the read of this partition is tried again, others go on. */
export class SchemaUnavailableError extends Error {
  override readonly name = 'SchemaUnavailableError'
}

const checksumHeader = 'minutely'

/** The payload as it is, and its CRC-32 in a header, 4 bytes, big-endian. */
export class PlainFraming implements RecordFraming {
  frame(payload: Buffer): FramedRecord {
    const checksum = Buffer.allocUnsafe(4)
    checksum.writeUInt32BE(crc32(payload))
    return { value: payload, headers: { [checksumHeader]: checksum } }
  }

  unframe({ value, headers }: FramedRecord): Buffer {
    const checksum = headers[checksumHeader]
    if (checksum?.length !== 4) {
      throw new UnreadableRecordError('bad-frame', `a record of ${value.length} bytes has no header ${checksumHeader}`)
    }
    const expected = checksum.readUInt32BE()
    const actual = crc32(value)
    if (actual === expected) return value
    throw new UnreadableRecordError(
      'checksum',
      `a record of ${value.length} bytes has CRC-32 ${actual.toString(16)} instead of ${expected.toString(16)}`,
    )
  }
}
