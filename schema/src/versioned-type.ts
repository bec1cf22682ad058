/**
 * An Avro type in all its versions: writes the newest, reads each of them, and any stranger's that resolves to the newest
 * (https://avro.apache.org/docs/1.12.0/specification/#schema-resolution). The only file that knows avsc.
 *
 * Versions are numbered from 1 in the order of their release; a number never changes its meaning. Whatever is decoded is
 * walked first by its writer's schema (avro-bounds.ts): no bytes make us build more than `itemsMax` items.
 */
import avro from 'avsc'
import { type AvroWalk, compileAvroWalk } from './avro-bounds.ts'
import { schemaFingerprint } from './schema-fingerprint.ts'

export interface SchemaVersion {
  readonly schema: unknown
  /** CRC-64-AVRO, little-endian. */
  readonly fingerprint: Buffer
  readonly version: number
}

/** Throws an Error for bytes that their writer's schema cannot have made. */
export type AvroDecoder = (bytes: Buffer) => unknown

export class VersionedType {
  /** Oldest first. */
  readonly versions: readonly SchemaVersion[]
  readonly current: SchemaVersion
  readonly #type: avro.Type
  readonly #itemsMax: number
  readonly #decoders: readonly AvroDecoder[]
  readonly #versionOf: ReadonlyMap<string, SchemaVersion>

  /** @param schemas oldest first; each must resolve to the last. */
  constructor(schemas: readonly unknown[], itemsMax: number) {
    const current = schemas.at(-1)
    this.versions = schemas.map((schema, index) => {
      return { schema, fingerprint: schemaFingerprint(schema), version: index + 1 }
    })
    this.current = { schema: current, fingerprint: schemaFingerprint(current), version: schemas.length }
    this.#type = typeOf(current)
    this.#itemsMax = itemsMax
    this.#versionOf = new Map(this.versions.map((version) => [version.fingerprint.toString('hex'), version]))
    this.#decoders = schemas.map((schema) => this.decoderFor(schema))
  }

  /** As the newest version; fields that are absent get their defaults. */
  encode(value: unknown): Buffer {
    return this.#type.toBuffer(value)
  }

  versionOf(fingerprint: Buffer): SchemaVersion | undefined {
    return this.#versionOf.get(fingerprint.toString('hex'))
  }

  /** @throws Error when there is no such version, or its schema did not make these bytes. */
  decode(version: number, bytes: Buffer): unknown {
    const decode = this.#decoders[version - 1]
    if (decode === undefined) throw new Error(`version ${version} is none of 1 to ${this.versions.length}`)
    return decode(bytes)
  }

  /**
   * For any writer's schema; what it yields has the shape of our newest.
   * @throws Error when the writer's schema is no schema, contains itself, or does not resolve to ours.
   */
  decoderFor(writerSchema: unknown): AvroDecoder {
    const type = this.#type
    const walk: AvroWalk = compileAvroWalk(writerSchema)
    const itemsMax = this.#itemsMax
    const writer = typeOf(writerSchema)
    // A resolver costs time on each value; equal ones need none. Field names too, hence the canonical form.
    const isSame = schemaFingerprint(writerSchema).equals(this.current.fingerprint)
    const resolver = isSame ? undefined : type.createResolver(writer)
    return (bytes) => {
      walk(bytes, itemsMax)
      return type.fromBuffer(bytes, resolver)
    }
  }
}

/** Why data of this writer cannot be read with this schema; undefined when it can. */
export function unreadableBecause({ writer, reader }: { writer: unknown; reader: unknown }): string | undefined {
  try {
    typeOf(reader).createResolver(typeOf(writer))
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function typeOf(schema: unknown): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema)
}
