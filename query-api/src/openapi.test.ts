/** The document: complete, consistent, and the same as what the service really serves. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import { aggregations } from '@minutely/schema/query-wire'
import Fastify from 'fastify'
import { Registry } from 'prom-client'
import { annotationsParameters } from './annotations.ts'
import { type QueryConfig, querySettings } from './config.ts'
import { ingestParameters } from './ingest-routes.ts'
import { metricLiveParameters } from './metric-live-question.ts'
import { metricListParameters } from './metrics-list.ts'
import { openApiDocument } from './openapi.ts'
import { labelPrefix } from './parameters.ts'
import { metricRangeParameters, serverRangeParameters } from './range-question.ts'
import { latestParameters } from './read-latest.ts'
import { serverMetricsParameters, serversParameters } from './servers.ts'
import { createQueryApi } from './service.ts'
import { summaryParameters } from './summary-question.ts'

interface Operation {
  readonly operationId: string
  readonly parameters?: { name: string; in: string }[]
  readonly responses: Record<string, unknown>
}
const document = JSON.parse(openApiDocument()) as {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: Record<string, unknown>
}

function operation(path: string): Operation {
  return document.paths[path]?.['get'] as Operation
}

function queryNames(path: string): string[] {
  return (operation(path).parameters ?? [])
    .filter((parameter) => parameter.in === 'query')
    .map(({ name }) => name)
    .sort()
}

describe('the OpenAPI document', () => {
  it('resolves every reference', () => {
    const references = [...openApiDocument().matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference as string)
    assert.ok(references.length > 10)
    for (const reference of references) {
      let node: unknown = document
      for (const part of reference.replace(/^#\//, '').split('/')) node = (node as Record<string, unknown>)[part]
      assert.notEqual(node, undefined, reference)
    }
  })

  it('names every operation once', () => {
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    )
    assert.equal(new Set(ids).size, ids.length)
    assert.equal(document.openapi, '3.1.0')
  })

  it('has every route the service registers, and no other of its own', async () => {
    const config = Object.fromEntries(
      Object.entries(querySettings).map(([key, setting]) => [key, setting.shape.parse(setting.default)]),
    ) as QueryConfig
    const api = createQueryApi(config, {
      pool: {} as never,
      annotator: { ending: true } as never,
      live: new LocalLiveChannel(),
      ring: new AbsentRecentRing(),
      clock: new VirtualClock(0),
      log: {} as never,
      registry: new Registry(),
    })
    const served = new Set<string>()
    const ofThePage = /^\/v1\/docs\//
    const app = Fastify()
    app.addHook('onRoute', (route) => {
      if (route.method === 'GET' && route.url.startsWith('/v1') && !ofThePage.test(route.url)) {
        served.add(route.url.replace(/:(\w+)/g, '{$1}'))
      }
    })
    await app.register(api.plugin)
    await app.ready()
    await app.close()
    const documented = Object.entries(document.paths).filter(
      ([path, methods]) => path.startsWith('/v1') && 'get' in methods,
    )
    assert.deepEqual([...served].sort(), documented.map(([path]) => path).sort())
  })

  it('has the rest of the product: samples in three forms, health, metrics', () => {
    const body = document.paths['/v1/samples']?.['post'] as unknown as {
      requestBody: { content: Record<string, { schema: { anyOf?: unknown[] } }> }
    }
    assert.deepEqual(Object.keys(body.requestBody.content), ['application/json', 'application/avro'])
    assert.equal(body.requestBody.content['application/json']?.schema.anyOf?.length, 2)
    for (const path of ['/healthz', '/readyz', '/metrics']) assert.ok(operation(path).responses['200'])
  })

  it('names the parameters that are really read', () => {
    const named = (names: readonly string[]) => names.filter((name) => name !== labelPrefix).sort()
    assert.deepEqual(queryNames('/v1/servers'), named(serversParameters))
    assert.deepEqual(queryNames('/v1/servers/{serverId}/metrics'), named(serverMetricsParameters))
    assert.deepEqual(queryNames('/v1/servers/{serverId}/series'), named(serverRangeParameters))
    assert.deepEqual(queryNames('/v1/metrics/{metricId}/series'), named(metricRangeParameters))
    assert.deepEqual(queryNames('/v1/metrics'), named(metricListParameters))
    assert.deepEqual(queryNames('/v1/metrics/{metricId}/summary'), named(summaryParameters))
    assert.deepEqual(queryNames('/v1/latest'), named(latestParameters))
    assert.deepEqual(queryNames('/v1/metrics/{metricId}/live'), named(metricLiveParameters))
    assert.deepEqual(queryNames('/v1/ingest'), named(ingestParameters))
    assert.deepEqual(queryNames('/v1/annotations'), named(annotationsParameters))
    assert.ok(openApiDocument().includes(JSON.stringify(aggregations)))
  })

  it('names the errors of each status', () => {
    const responses = operation('/v1/servers/{serverId}/series').responses as Record<string, { description: string }>
    assert.deepEqual(Object.keys(responses).sort(), ['200', '304', '400', '404', '406', '422', '431', '500', '503'])
    assert.match(responses['422']?.description ?? '', /`too-many-series`.*`too-many-points`/)
  })
})
