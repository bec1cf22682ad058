/** What the processes of one deployment share: where its servers are. Each reads what it needs and allows the rest. */
import type { Settings } from './config.ts'
import { kafkaLogSettings } from './kafka-log/kafka-log-settings.ts'
import { liveSettings } from './live/live-settings.ts'
import { postgresSettings } from './postgres/postgres-settings.ts'
import { ringSettings } from './recent-ring/ring-settings.ts'
import { redisSettings } from './redis/redis-settings.ts'
import { schemaRegistrySettings } from './schema-registry/schema-registry-settings.ts'

export const deploymentSettings: readonly Settings[] = [
  kafkaLogSettings,
  schemaRegistrySettings,
  postgresSettings,
  redisSettings,
  ringSettings,
  liveSettings,
]
