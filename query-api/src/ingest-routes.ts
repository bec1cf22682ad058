/** `GET /v1/ingest`: HTTP of read-ingest.ts. */
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import type { FastifyInstance } from 'fastify'
import type { QueryConfig } from './config.ts'
import { Parameters } from './parameters.ts'
import { type RouteDeps, signalOf } from './range-routes.ts'
import { readIngest } from './read-ingest.ts'
import { inStoreSession } from './store-session.ts'
import { readTimeRange } from './time-range.ts'

export const ingestParameters: readonly string[] = ['from', 'to', 'stepMs']

export function registerIngestRoutes(app: FastifyInstance, config: QueryConfig, deps: RouteDeps): void {
  const { ring, budget, clock } = deps
  app.get('/v1/ingest', async (request, reply) => {
    const nowMs = clock.nowMs()
    const { rangeDaysMax } = config
    const range = readTimeRange(new Parameters(request.query, ingestParameters), { nowMs, rangeDaysMax })
    const options = { signal: signalOf(reply, deps.stopping), timeoutMs: config.timeoutMs }
    return inStoreSession((session) => readIngest(range, nowMs, { session, ring, config, budget }), options, deps)
  })
  refuseOtherMethods(app, { url: '/v1/ingest', allowed: 'GET, HEAD' })
}
