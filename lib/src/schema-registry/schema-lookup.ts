/**
 * Schemas of other releases, from the registry: what their records say is a fingerprint, an id, or both.
 *
 *     fingerprint and id ──> the schema of that id, if it has that fingerprint ──┐
 *     fingerprint only ────────────────────────────────────────────────────────┴─no─> each version of the subject
 *     id only (a stranger's record) ──> the schema of that id
 *
 * The fingerprint decides, never the id: a registry that was wiped gives ids anew. What was found is kept for ever, at most
 * schemasMax of them; what was not found is asked for again after retryMs, so that bad records do not flood the registry.
 * Instants in ms of the clock.
 */
import { CodecError, type RecordCodec } from '@minutely/schema/sample-codec'
import { schemaFingerprint } from '@minutely/schema/schema-fingerprint'
import type { Clock } from '../clock.ts'
import { SchemaUnavailableError, UnreadableRecordError } from '../kafka-log/record-framing.ts'
import { type ConfluentRegistry, RegistryUnavailableError } from './confluent-registry.ts'
import type { SchemaRegistryMetrics } from './schema-registry-metrics.ts'

/** How to read bodies of one schema. */
export type Reading =
  /** One of our own versions: the body is that of a payload. */
  | { readonly kind: 'ours'; readonly version: number }
  | { readonly kind: 'translated'; readonly translate: (body: Buffer) => Buffer }
  /** It does not resolve to ours. */
  | { readonly kind: 'incompatible'; readonly detail: string }

export interface SchemaLookupConfig {
  readonly subject: string
  readonly retryMs: number
  readonly schemasMax: number
}

export interface SchemaLookupDeps {
  readonly codec: RecordCodec
  readonly registry: ConfluentRegistry
  readonly clock: Clock
  readonly metrics: SchemaRegistryMetrics
}

interface Miss {
  readonly sinceMs: number
  readonly untilMs: number
  readonly error: Error
}

/** A writer that has no id yet registers its schema every retryMs; after this many of them it is not going to. */
const registrationRetries = 12
/** Versions of the subject that are looked through. */
const versionsMax = 200

export class SchemaLookup {
  readonly #config: SchemaLookupConfig
  readonly #deps: SchemaLookupDeps
  readonly #byFingerprint = new Map<string, Reading>()
  readonly #byId = new Map<number, Reading>()
  readonly #misses = new Map<string, Miss>()
  readonly #pending = new Map<string, Promise<Reading>>()

  constructor(config: SchemaLookupConfig, deps: SchemaLookupDeps) {
    this.#config = config
    this.#deps = deps
    deps.metrics.schemasKnown.set(0)
  }

  /** @param id of the record, if its framing has one. */
  byFingerprint(fingerprint: Buffer, id: number | undefined): Reading | Promise<Reading> {
    const version = this.#deps.codec.versionOf(fingerprint)?.version
    if (version !== undefined) return { kind: 'ours', version }
    const hex = fingerprint.toString('hex')
    return this.#byFingerprint.get(hex) ?? this.#once(`${hex} ${id}`, () => this.#find(hex, id))
  }

  byId(id: number): Reading | Promise<Reading> {
    return this.#byId.get(id) ?? this.#once(`id ${id}`, () => this.#findById(id))
  }

  /** One search at a time for each key, and none for a while after it failed. */
  #once(key: string, find: () => Promise<Reading>): Promise<Reading> {
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending
    const { clock } = this.#deps
    const miss = this.#misses.get(key)
    if (miss !== undefined && clock.nowMs() < miss.untilMs) return Promise.reject(miss.error)
    const search = find()
      .catch((error: Error) => {
        if (error instanceof RegistryUnavailableError) throw unavailable(error)
        const nowMs = clock.nowMs()
        const sinceMs = miss?.sinceMs ?? nowMs
        const isOver = nowMs - sinceMs >= this.#config.retryMs * registrationRetries
        const verdict = error instanceof SchemaUnavailableError && isOver ? neverRegistered(error) : error
        this.#keep(this.#misses, key, { sinceMs, untilMs: nowMs + this.#config.retryMs, error: verdict })
        throw verdict
      })
      .finally(() => this.#pending.delete(key))
    this.#pending.set(key, search)
    return search
  }

  async #find(hex: string, id: number | undefined): Promise<Reading> {
    const { registry } = this.#deps
    const { subject } = this.#config
    const found = id === undefined ? undefined : await this.#fetch(id)
    if (found?.hex === hex) return found.reading
    for (let version = 0; version <= versionsMax; version++) {
      const other = await registry.idOfVersion(subject, version === 0 ? 'latest' : version)
      if (other === undefined) break
      const listed = await this.#fetch(other)
      if (listed?.hex === hex) return listed.reading
    }
    const message = `No version of subject ${subject} in the schema registry has the record's fingerprint ${hex}`
    if (id === undefined) throw new SchemaUnavailableError(`${message}; its writer has yet to register it`)
    const has =
      found === undefined ? 'there is none' : `that one's fingerprint is ${found.hex}: the registry lost its data`
    throw new UnreadableRecordError('unknown-schema', `${message}. As for its schema id ${id}, ${has}`)
  }

  async #findById(id: number): Promise<Reading> {
    const found = await this.#fetch(id)
    if (found === undefined) {
      throw new UnreadableRecordError('unknown-schema', `The schema registry has no schema with the record's id ${id}`)
    }
    this.#keep(this.#byId, id, found.reading)
    return found.reading
  }

  /** Asks the registry; the id may mean something else than it did. */
  async #fetch(id: number): Promise<{ hex: string; reading: Reading } | undefined> {
    const schema = await this.#deps.registry.schemaById(id)
    if (schema === undefined) return undefined
    const fingerprint = schemaFingerprint(schema)
    const hex = fingerprint.toString('hex')
    const known = this.#byFingerprint.get(hex)
    if (known !== undefined) return { hex, reading: known }
    const reading = this.#readingOf(schema, fingerprint)
    this.#keep(this.#byFingerprint, hex, reading)
    this.#deps.metrics.schemasKnown.set(this.#byFingerprint.size)
    return { hex, reading }
  }

  #readingOf(schema: unknown, fingerprint: Buffer): Reading {
    const { codec } = this.#deps
    const version = codec.versionOf(fingerprint)?.version
    if (version !== undefined) return { kind: 'ours', version }
    try {
      return { kind: 'translated', translate: codec.translatorFrom(schema) }
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      return { kind: 'incompatible', detail: error.message }
    }
  }

  #keep<K, V>(map: Map<K, V>, key: K, value: V): void {
    map.delete(key)
    map.set(key, value)
    const [oldest] = map.keys()
    if (map.size > this.#config.schemasMax && oldest !== undefined) map.delete(oldest)
  }
}

function unavailable(error: RegistryUnavailableError): SchemaUnavailableError {
  return new SchemaUnavailableError(`A record has a schema that is not known here, and ${error.message}`, {
    cause: error,
  })
}

function neverRegistered(error: SchemaUnavailableError): UnreadableRecordError {
  return new UnreadableRecordError('unknown-schema', `${error.message}, and has not in time`, { cause: error })
}
