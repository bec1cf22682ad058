/** Settings of the schema registry that records in Kafka name their schemas by. */
import { integer, type Settings, text } from '../config.ts'

export const schemaRegistrySettings = {
  url: {
    name: 'SCHEMA_REGISTRY_URL',
    shape: text,
    default: 'http://127.0.0.1:8081',
    description:
      "Schema registry with Confluent's API; Apicurio has that one below its own, at http://host:port/apis/ccompat/v7",
  },
  user: {
    name: 'SCHEMA_REGISTRY_USER',
    shape: text,
    default: '',
    description: 'User for HTTP basic authentication at the registry, if it asks for one',
  },
  password: {
    name: 'SCHEMA_REGISTRY_PASSWORD',
    shape: text,
    default: '',
    secret: true,
    description: "That user's password",
  },
  subject: {
    name: 'SCHEMA_REGISTRY_SUBJECT',
    shape: text,
    default: 'minutely.SampleRecord',
    description: 'Subject of the registry that has the versions of the record schema',
  },
  timeoutMs: {
    name: 'SCHEMA_REGISTRY_TIMEOUT_MS',
    shape: integer({ min: 50, max: 60_000 }),
    default: '3000',
    unit: 'ms',
    description: 'Longest wait for an answer of the registry',
  },
  retryMs: {
    name: 'SCHEMA_REGISTRY_RETRY_MS',
    shape: integer({ min: 50, max: 600_000 }),
    default: '5000',
    unit: 'ms',
    description: 'Pause before the registry is asked again after it failed, or did not know a schema',
  },
  refreshMs: {
    name: 'SCHEMA_REGISTRY_REFRESH_MS',
    shape: integer({ min: 1_000, max: 86_400_000 }),
    default: '300000',
    unit: 'ms',
    description: 'How often a writer registers its schema anew, which mends a registry that lost it',
  },
  schemasMax: {
    name: 'SCHEMA_REGISTRY_SCHEMAS_MAX',
    shape: integer({ min: 10, max: 100_000 }),
    default: '1000',
    description:
      'Schemas of other releases that are kept in memory; past it the oldest is forgotten and asked for again',
  },
} satisfies Settings
