/** 405 with an Allow header for a path that exists but not with this method, where fastify would say 404. */
import { ApiError } from '@minutely/schema/error-catalogue'
import type { FastifyInstance } from 'fastify'

/** The value of the Allow header. */
type Allowed = 'GET' | 'GET, HEAD' | 'GET, HEAD, POST' | 'POST' | 'DELETE'

/** To be called beside the routes of those that are allowed. */
export function refuseOtherMethods(app: FastifyInstance, route: { url: string; allowed: Allowed }): void {
  const { url, allowed } = route
  const path = url.replace(/:(\w+)/g, '{$1}')
  const known = allowed.split(', ')
  const existing = known.filter((method) => method !== 'HEAD').map((method) => `${method} ${path}`)
  const verb = existing.length > 1 ? 'do' : 'does'
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((method) => !known.includes(method)),
    url,
    // Fastify would add one beside GET.
    exposeHeadRoute: false,
    onRequest: async (request, reply) => {
      reply.header('allow', allowed)
      throw new ApiError(
        'method-not-allowed',
        `${request.method} ${path} does not exist, ${existing.join(' and ')} ${verb}`,
      )
    },
    handler: () => undefined,
  })
}
