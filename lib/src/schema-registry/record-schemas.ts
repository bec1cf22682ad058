/**
 * The schemas of Kafka's records for one process: the framing to write and read them, and, for a writer, the registration
 * of its own schema.
 *
 *     start ── register ── id ─────────────────────> frame with the id; register again every refreshMs
 *                 ├─ registry down ── retryMs ──┐    meanwhile frame without an id: nothing is lost, nothing waits
 *                 │        └────────────────────┘
 *                 └─ refused: at start an error for a person, later a loud one while records keep the framing they have
 *
 * A process that only reads registers nothing and needs the registry for schemas of other releases only.
 */
import { type RecordCodec, recordCodec } from '@minutely/schema/sample-codec'
import type { Clock } from '../clock.ts'
import type { ConfigOf } from '../config.ts'
import type { RecordFraming } from '../kafka-log/record-framing.ts'
import type { Service } from '../lifecycle.ts'
import type { Logger } from '../logging.ts'
import { ConfluentRegistry, RegistryUnavailableError, SchemaRefusedError } from './confluent-registry.ts'
import { RegistryFraming } from './registry-framing.ts'
import { SchemaLookup } from './schema-lookup.ts'
import type { SchemaRegistryMetrics } from './schema-registry-metrics.ts'
import type { schemaRegistrySettings } from './schema-registry-settings.ts'

export type SchemaRegistryConfig = ConfigOf<typeof schemaRegistrySettings>

export interface RecordSchemasDeps {
  readonly role: 'writer' | 'reader'
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: SchemaRegistryMetrics
  /** Another release's, in tests. */
  readonly codec?: RecordCodec
}

export interface RecordSchemas extends Service {
  readonly framing: RecordFraming
}

export function createRecordSchemas(config: SchemaRegistryConfig, deps: RecordSchemasDeps): RecordSchemas {
  const { clock, log, metrics, role, codec = recordCodec } = deps
  const registry = new ConfluentRegistry(config, { clock, metrics })
  const lookup = new SchemaLookup(config, { codec, registry, clock, metrics })
  const framing = new RegistryFraming({ codec, lookup, metrics })
  const stopping = new AbortController()
  let schemaId: number | undefined
  let refusal: SchemaRefusedError | undefined
  let isDown = false
  let running: Promise<void> | undefined
  metrics.refused.set(0)

  async function register(): Promise<void> {
    const id = await registry.register(config.subject, codec.current.schema)
    metrics.refused.set(0)
    refusal = undefined
    if (isDown && id === schemaId) log.info({ schemaId: id }, 'the schema registry answers again')
    isDown = false
    if (id === schemaId) return
    const { subject } = config
    if (schemaId === undefined) log.info({ subject, schemaId: id }, 'the schema registry knows our record schema')
    else log.warn({ subject, schemaId: id, was: schemaId }, 'the schema registry gave our record schema another id')
    schemaId = id
    framing.useSchemaId(id)
  }

  /** @returns when to register again, in ms. */
  async function attempt(): Promise<number> {
    try {
      await register()
      return config.refreshMs
    } catch (error) {
      if (error instanceof SchemaRefusedError) {
        metrics.refused.set(1)
        if (running !== undefined && refusal === undefined) log.error({ err: error }, error.message)
        refusal = error
      } else if (!(error instanceof RegistryUnavailableError)) throw error
      else if (!stopping.signal.aborted) {
        const how = schemaId === undefined ? 'without a schema id' : `with schema id ${schemaId}`
        // Once for each outage.
        log[isDown ? 'debug' : 'warn'](
          { retryMs: config.retryMs },
          `${error.message}; records are written ${how} meanwhile`,
        )
        isDown = true
      }
      return config.retryMs
    }
  }

  async function keepRegistered(firstDelayMs: number): Promise<void> {
    for (let delayMs = firstDelayMs; !stopping.signal.aborted; delayMs = await attempt()) {
      await clock.sleep(delayMs, stopping.signal)
      if (stopping.signal.aborted) return
    }
  }

  return {
    name: 'record schemas',
    framing,
    async start() {
      if (role === 'reader') return
      const delayMs = await attempt()
      if (refusal !== undefined) throw refusal
      running = keepRegistered(delayMs)
    },
    async stop() {
      stopping.abort()
      registry.close()
      await running
    },
  }
}
