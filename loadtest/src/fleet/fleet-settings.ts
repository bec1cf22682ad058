/** The environment of each service of a fleet. A service refuses what it does not know, so each gets its own and no more. */
import type { ServerAddresses } from './server-addresses.ts'

export type ServiceKind = 'collector' | 'aggregator' | 'query-api'

interface FleetSettings {
  readonly servers: ServerAddresses
  readonly prefix: string
  readonly settings?: Readonly<Record<string, string>>
}

/** Begins the names of settings that only some services have. */
const foreign: Readonly<Record<ServiceKind, RegExp>> = {
  collector: /^MINUTELY_(REDIS|RING|LIVE|POSTGRES|SEAL|RESEAL|RETENTION)_/,
  aggregator: /^MINUTELY_(QUERY)_/,
  'query-api': /^MINUTELY_(KAFKA|SCHEMA_REGISTRY|LATENESS|LATE|SEAL|RESEAL|RETENTION)_/,
}

export function settingsOf(kind: ServiceKind, { servers, prefix, settings }: FleetSettings): Record<string, string> {
  const all = {
    MINUTELY_LOG_LEVEL: 'info',
    MINUTELY_LOG_FORMAT: 'json',
    MINUTELY_KAFKA_BROKERS: servers.kafkaBootstrap,
    MINUTELY_KAFKA_TOPIC_PREFIX: prefix,
    MINUTELY_SCHEMA_REGISTRY_URL: servers.schemaRegistryUrl,
    MINUTELY_REDIS_URL: servers.redisUrl,
    MINUTELY_RING_PREFIX: prefix,
    MINUTELY_LIVE_PREFIX: prefix,
    MINUTELY_POSTGRES_URL: servers.postgresUrl,
    // A member that is killed or paused is missed after 10 s rather than the 45 s that suit a network.
    MINUTELY_KAFKA_SESSION_TIMEOUT_MS: '10000',
    MINUTELY_KAFKA_HEARTBEAT_MS: '1000',
    ...settings,
  }
  return Object.fromEntries(Object.entries(all).filter(([name]) => !foreign[kind].test(name)))
}
