/** What a process counts about the schema registry. One instance per process, on the registry of metrics it is given. */
import { Counter, Gauge, type Registry } from 'prom-client'

export function createSchemaRegistryMetrics(registry: Registry) {
  const registers = [registry]
  return {
    requests: new Counter({
      name: 'minutely_schema_registry_requests_total',
      help: 'What the schema registry was asked (register, schema, versions), by result: ok, not-found, refused or unavailable',
      labelNames: ['operation', 'result'] as const,
      registers,
    }),
    framing: new Gauge({
      name: 'minutely_schema_framing_active',
      help: 'How records are written, 1 for the framing in use: confluent, or single-object while the registry has given no id yet',
      labelNames: ['framing'] as const,
      registers,
    }),
    refused: new Gauge({
      name: 'minutely_schema_registry_refusal_active',
      help: "1 while the registry refuses this release's schema as incompatible",
      registers,
    }),
    schemasKnown: new Gauge({
      name: 'minutely_schema_registry_cached_schemas',
      help: 'Schemas of other releases that were fetched from the registry and are kept in memory',
      registers,
    }),
  }
}

export type SchemaRegistryMetrics = ReturnType<typeof createSchemaRegistryMetrics>
