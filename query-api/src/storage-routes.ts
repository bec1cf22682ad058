/** `GET /v1/storage`, and what it says as metrics, read when somebody scrapes. */
import type { Clock } from '@minutely/lib/clock'
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import type { Pool } from '@minutely/lib/postgres/pool'
import type { StorageAnswer } from '@minutely/schema/query-wire'
import type { FastifyInstance } from 'fastify'
import { Gauge, type Registry } from 'prom-client'
import type { QueryConfig } from './config.ts'
import type { QueryMetrics } from './metrics.ts'
import { Parameters } from './parameters.ts'
import { signalOf } from './range-routes.ts'
import { type DiskSpace, StorageReader } from './storage.ts'
import { inStoreSession } from './store-session.ts'

export interface StorageRouteDeps {
  readonly pool: Pool
  readonly clock: Clock
  readonly metrics: QueryMetrics
  readonly registry: Registry
  readonly diskSpace?: () => Promise<DiskSpace>
  /** Fires when the service stops. */
  readonly stopping: AbortSignal
}

/** A scrape must not wait for long; without Postgres it has what was read last. */
const scrapeTimeoutMs = 2_000

export function registerStorageRoutes(app: FastifyInstance, config: QueryConfig, deps: StorageRouteDeps): void {
  const reader = new StorageReader(deps)
  const read = (signal: AbortSignal, timeoutMs: number): Promise<StorageAnswer> =>
    inStoreSession((session) => reader.read(session), { signal, timeoutMs }, deps)
  app.get('/v1/storage', async (request, reply) => {
    new Parameters(request.query, [])
    return read(signalOf(reply, deps.stopping), config.timeoutMs)
  })
  refuseOtherMethods(app, { url: '/v1/storage', allowed: 'GET, HEAD' })
  registerStorageMetrics(deps.registry, () => read(deps.stopping, scrapeTimeoutMs))
}

function registerStorageMetrics(registry: Registry, read: () => Promise<StorageAnswer>): void {
  const registers = [registry]
  // Both are asked at the same time; what was read last is the best that is known.
  let reading: Promise<StorageAnswer | undefined> | undefined
  const readOnce = (): Promise<StorageAnswer | undefined> => {
    reading ??= read()
      .catch(() => undefined)
      .finally(() => {
        reading = undefined
      })
    return reading
  }
  const stored: Gauge<'tier'> = new Gauge({
    name: 'minutely_store_bytes',
    help: 'Bytes of the database by tier, indexes included: minutes (not sealed), sealed-minutes, hours, log, rest',
    labelNames: ['tier'],
    registers,
    collect: async () => {
      for (const { tier, storedBytes } of (await readOnce())?.tiers ?? []) stored.set({ tier }, storedBytes)
    },
  })
  const settled: Gauge = new Gauge({
    name: 'minutely_store_settled_bytes',
    help: 'What the whole database holds when every retention is full, by the growth of the last sealed hours; absent while none is known',
    registers,
    collect: async () => {
      const settledBytes = (await readOnce())?.settledBytes ?? null
      if (settledBytes !== null) settled.set(settledBytes)
    },
  })
  // A gauge without labels begins as 0, which would be a forecast.
  settled.remove()
}
