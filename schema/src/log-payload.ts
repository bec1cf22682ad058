/**
 * What a payload of the sample log says, whichever of its two forms it has:
 *
 *     01 ...   a SampleRecord (sample-codec.ts): sections, as every log can hold them
 *     81 ...   a SampleBundle: agents' batches as they were sent, compressed, one after the other; sections between them where a
 *              batch could not be taken as it was
 *
 * A bundle spares the collector encoding and compressing again what came encoded and compressed; whoever reads it pays for it
 * once more, which in the embedded form happens only after a restart. Its first byte is 80 (hex) more than the version of its schema,
 * counted from 1. Readers from before bundles call it an unknown version, and set it aside. Layouts: docs/formats.md.
 */
import { constants, gunzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { secondMs } from './limits.ts'
import { releasedSchemas } from './released-schemas.ts'
import {
  CodecError,
  decodeSampleBatch,
  decodeSampleRecord,
  type SampleRecord,
  type SampleSection,
} from './sample-codec.ts'
import { VersionedType } from './versioned-type.ts'

export type BundledEncoding = 'identity' | 'gzip' | 'zstd'

export interface BundledItem {
  /** Empty for sections. */
  readonly tenantId: string
  readonly holds: 'batch' | 'sections'
  readonly encoding: BundledEncoding
  /** Length without the encoding. */
  readonly plainBytes: number
  readonly bytes: Buffer
}

export interface SampleBundle {
  /** The collector's clock, ms since the epoch. */
  readonly receivedAtMs: number
  readonly items: readonly BundledItem[]
}

/** Why a part of a payload cannot be read. Its neighbours can. */
export class UnreadablePart {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

/** An item takes at least 5 bytes, and about 300 in memory. */
const itemsMax = 100_000
const bundleMark = 0x80
/** What any collector takes in one body (MINUTELY_DECODED_BYTES_MAX may be no more). */
const plainBytesMax = 64 * 1_048_576
/** Smaller ones gain nothing from compression. */
const compressBytesMin = 1_024
/** Lengths, names and counts of an item: at most 5 + 1 + 1 + 5 + 5 bytes, and some room. */
const itemFrameBytes = 24

const bundleType = new VersionedType(releasedSchemas('sample-bundle'), itemsMax)

/** How much of a record an item takes, about. */
export function bundledBytes({ tenantId, bytes }: BundledItem): number {
  return itemFrameBytes + tenantId.length + bytes.length
}

/** A SampleRecord's payload as an item. Level 1 takes less CPU time than the disk would for the bytes it saves. */
export function sectionsItem(record: Buffer): BundledItem {
  const isLarge = record.length >= compressBytesMin
  const params = { [constants.ZSTD_c_compressionLevel]: 1 }
  return {
    tenantId: '',
    holds: 'sections',
    encoding: isLarge ? 'zstd' : 'identity',
    plainBytes: record.length,
    bytes: isLarge ? zstdCompressSync(record, { params }) : record,
  }
}

export function encodeSampleBundle(bundle: SampleBundle): Buffer {
  return Buffer.concat([Buffer.of(bundleMark + bundleType.current.version), bundleType.encode(bundle)])
}

/** @throws CodecError on an unknown version or truncated bytes. */
export function decodeSampleBundle(payload: Buffer): SampleBundle {
  const version = (payload[0] ?? 0) - bundleMark
  if (bundleType.versions[version - 1] === undefined) {
    throw new CodecError(`bundle version ${version} is none of 1 to ${bundleType.current.version}`)
  }
  try {
    return bundleType.decode(version, payload.subarray(1)) as SampleBundle
  } catch (error) {
    throw new CodecError(`not a sample bundle: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * The sections of a payload in the order in which they have to be folded, one batch of it decoded at a time.
 * @throws CodecError when the payload as a whole cannot be read; then nothing was given.
 */
export function* logSections(payload: Buffer): Generator<SampleSection | UnreadablePart> {
  if ((payload[0] ?? 0) <= bundleMark) {
    yield* decodeSampleRecord(payload).sections
    return
  }
  for (const [index, item] of decodeSampleBundle(payload).items.entries()) {
    let sections: readonly SampleSection[]
    try {
      sections = sectionsOf(item)
    } catch (error) {
      yield new UnreadablePart(`item ${index} (${item.holds}, ${item.encoding}): ${(error as Error).message}`)
      continue
    }
    yield* sections
  }
}

/** All of it at once. @throws CodecError when any part cannot be read. */
export function decodeLogPayload(payload: Buffer): SampleRecord {
  if ((payload[0] ?? 0) <= bundleMark) return decodeSampleRecord(payload)
  const sections = [...logSections(payload)].map((part) => {
    if (part instanceof UnreadablePart) throw new CodecError(part.detail)
    return part
  })
  return { receivedAtMs: decodeSampleBundle(payload).receivedAtMs, sections }
}

function sectionsOf({ tenantId, holds, encoding, plainBytes, bytes }: BundledItem): readonly SampleSection[] {
  const plain = plainOf(bytes, { encoding, plainBytes })
  if (holds === 'sections') return decodeSampleRecord(plain).sections
  const { serverId, blocks } = decodeSampleBatch(plain)
  // As the collector takes them (collector-api/src/accept/accept-avro.ts): nothing else was changed.
  return blocks.map((block) => ({
    tenantId,
    serverId,
    startMs: Math.floor(block.startMs / secondMs) * secondMs,
    stepMs: block.stepMs,
    slotCount: block.slotCount,
    series: block.series,
    values: block.values,
  }))
}

function plainOf(bytes: Buffer, { encoding, plainBytes }: Pick<BundledItem, 'encoding' | 'plainBytes'>): Buffer {
  if (encoding === 'identity') return bytes
  const maxOutputLength = Math.max(1, Math.min(plainBytes, plainBytesMax))
  const plain =
    encoding === 'gzip' ? gunzipSync(bytes, { maxOutputLength }) : zstdDecompressSync(bytes, { maxOutputLength })
  if (plain.length !== plainBytes) throw new Error(`${plain.length} bytes instead of ${plainBytes}`)
  return plain
}
