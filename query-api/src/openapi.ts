/**
 * `GET /v1/openapi.json`: every route of the product, whichever service answers it. Shapes come from the zod shapes of
 * schema/, parameters and errors are written in openapi-routes.ts. openapi.test.ts holds it against the routes that exist.
 */
import { type ErrorId, errorAnswer, errorCatalogue } from '@minutely/schema/error-catalogue'
import { createDocument, type ZodOpenApiPathsObject, type ZodOpenApiResponsesObject } from 'zod-openapi'
import { type RouteDescription, routeDescriptions } from './openapi-routes.ts'

/** As JSON text; takes about 20 ms. */
export function openApiDocument(): string {
  return JSON.stringify(buildDocument())
}

export function buildDocument(): object {
  const paths: ZodOpenApiPathsObject = {}
  for (const route of routeDescriptions) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) }
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Minutely',
      version: '1',
      description:
        'Every server, every metric, every minute. Instants are ms since the epoch, intervals half-open. Every error is ' +
        '`{"error","message","details"}`; its id never changes its meaning. Answers may grow fields.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [{ name: 'samples' }, { name: 'ranges' }, { name: 'live' }, { name: 'annotations' }, { name: 'operation' }],
    paths,
  })
}

function operationOf(route: RouteDescription) {
  const { operationId, tag, summary, description, parameters, body, answer, errors } = route
  const success: ZodOpenApiResponsesObject = {
    [answer.status]: {
      description: answer.description,
      ...(answer.content === undefined ? {} : { content: answer.content }),
      ...(answer.headers === undefined ? {} : { headers: answer.headers }),
    },
    ...(answer.headers === undefined || !('ETag' in answer.headers)
      ? {}
      : { '304': { description: 'Not changed since the ETag in If-None-Match' } }),
  }
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { requestParams: parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: body } }),
    responses: { ...success, ...errorResponses([...errors, ...everywhere(route)]) },
  }
}

/** Of any request that is not quite HTTP, or too long; a path with a name in it may be too long to be one. */
function everywhere({ path, errors }: RouteDescription): ErrorId[] {
  const ids: ErrorId[] = [
    'request-invalid',
    'headers-too-large',
    ...(path.includes('{') ? ['route-not-found' as const] : []),
  ]
  return ids.filter((id) => !errors.includes(id))
}

/** One response a status; ids that share it are named in it, with an example each. */
function errorResponses(ids: readonly ErrorId[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(ids, (id) => errorCatalogue[id].status)
  const responses: ZodOpenApiResponsesObject = {}
  for (const [status, sameStatus] of byStatus) {
    responses[`${status}` as '400'] = {
      description: sameStatus.map((id) => `\`${id}\`: ${errorCatalogue[id].title}`).join('; '),
      content: {
        'application/json': {
          schema: errorAnswer,
          examples: Object.fromEntries(
            sameStatus.map((id) => [id, { value: { error: id, message: `${errorCatalogue[id].title}: ...` } }]),
          ),
        },
      },
      ...(status === 503
        ? { headers: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds' } } }
        : {}),
    }
  }
  return responses
}
