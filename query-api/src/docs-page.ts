/**
 * `GET /v1/openapi.json`, and `GET /v1/docs`: the OpenAPI document as a page to browse and try (Swagger UI). All of it is served from here, nothing from
 * elsewhere, and its policy lets the browser ask nobody else.
 *
 * The plugin takes the document from `app.swagger()`, which @fastify/swagger would have made out of route schemas. Ours is written
 * from the zod shapes (openapi.ts), so a plugin of that name hands it over.
 */
import swaggerUi from '@fastify/swagger-ui'
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import type { FastifyInstance } from 'fastify'
import plugin from 'fastify-plugin'
import { buildDocument } from './openapi.ts'

/** Swagger UI sets style attributes and has its icons as data. */
const policy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self' 'unsafe-inline'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
}

export const docsUrl = '/v1/docs'

export async function registerDocs(app: FastifyInstance): Promise<void> {
  // Built when somebody asks: most processes are never asked.
  let built: object | undefined
  const document = (): object => {
    built ??= buildDocument()
    return built
  }
  app.get('/v1/openapi.json', async (_request, reply) => {
    return reply.header('cache-control', 'public, max-age=300').type('application/json; charset=utf-8').send(document())
  })
  await registerPage(app, document)
  for (const url of ['/v1/openapi.json', docsUrl]) refuseOtherMethods(app, { url, allowed: 'GET, HEAD' })
}

async function registerPage(app: FastifyInstance, document: () => object): Promise<void> {
  await app.register(async (scope) => {
    const source = async (inner: FastifyInstance): Promise<void> => void inner.decorate('swagger', document as never)
    await scope.register(plugin(source, { name: '@fastify/swagger' }))
    await scope.register(swaggerUi, {
      routePrefix: docsUrl,
      staticCSP: policy,
      transformSpecification: (given) => given,
      transformSpecificationClone: false,
      theme: { title: 'Minutely API' },
      // Without the bar in which another document could be named.
      uiConfig: { layout: 'BaseLayout', docExpansion: 'list', deepLinking: true, tryItOutEnabled: true },
    })
  })
}
