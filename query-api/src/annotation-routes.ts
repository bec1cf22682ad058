/**
 * HTTP of annotations: list, add, remove. The only thing the query API writes. A page of another origin cannot: a body must say that it
 * is JSON, and DELETE is a method of its own, for both of which browsers ask first, and are never told yes (lib/src/http-server.ts).
 */
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import { type NewAnnotation, newAnnotation } from '@minutely/schema/annotation-wire'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  addAnnotation,
  annotationsParameters,
  listAnnotations,
  readAnnotationsQuestion,
  removeAnnotation,
} from './annotations.ts'
import type { QueryConfig } from './config.ts'
import { invalid, Parameters, show } from './parameters.ts'
import { type RouteDeps, signalOf } from './range-routes.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'

type OneRequest = FastifyRequest<{ Params: { annotationId: string } }>

/** Of a body; the largest text with all its tags, as JSON escapes, is about 14 KB. */
export const annotationBytesMax = 32_768

export function registerAnnotationRoutes(app: FastifyInstance, config: QueryConfig, deps: RouteDeps): void {
  const { clock, pool, annotator } = deps
  const run = <T>(reply: FastifyReply, work: (session: StoreSession) => Promise<T>, by = pool): Promise<T> => {
    const options = { signal: signalOf(reply, deps.stopping), timeoutMs: config.timeoutMs }
    return inStoreSession(work, options, { ...deps, pool: by })
  }

  app.get('/v1/annotations', async (request, reply) => {
    const question = readAnnotationsQuestion(new Parameters(request.query, annotationsParameters), clock.nowMs())
    reply.header('cache-control', 'private, no-cache')
    return run(reply, ({ client }) => listAnnotations(question, client))
  })
  const options = { bodyLimit: annotationBytesMax, onRequest: refuseOtherTypes }
  app.post('/v1/annotations', options, async (request, reply) => {
    new Parameters(request.query, [])
    const added = readNewAnnotation(request.body)
    const annotation = await run(reply, ({ client }) => addAnnotation(added, client, config), annotator)
    return reply.code(201).header('location', `/v1/annotations/${annotation.annotationId}`).send(annotation)
  })
  app.delete('/v1/annotations/:annotationId', async (request: OneRequest, reply) => {
    new Parameters(request.query, [])
    const annotationId = readAnnotationId(request.params.annotationId)
    await run(reply, ({ client }) => removeAnnotation(annotationId, client), annotator)
    return reply.code(204).send()
  })
  refuseOtherMethods(app, { url: '/v1/annotations', allowed: 'GET, HEAD, POST' })
  refuseOtherMethods(app, { url: '/v1/annotations/:annotationId', allowed: 'DELETE' })
}

/** Before the body is read. */
async function refuseOtherTypes({ headers }: FastifyRequest): Promise<void> {
  const type = headers['content-type']
  if (/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type?.trim() ?? '')) return
  const said = type === undefined ? 'There is no Content-Type' : `Content-Type is ${show(type)}`
  throw new ApiError('content-type-unsupported', `${said}: send application/json`)
}

function readNewAnnotation(body: unknown): NewAnnotation {
  const { success, data, error } = newAnnotation.safeParse(body)
  if (success) return data
  const problems = error.issues.slice(0, 10).map(({ path, message }) => ({ field: path.join('.'), problem: message }))
  const [first] = problems
  const where = first === undefined || first.field === '' ? '' : `${first.field}: `
  throw new ApiError('annotation-invalid', `The body is no annotation: ${where}${first?.problem}`, {
    details: problems,
  })
}

function readAnnotationId(text: string): number {
  const annotationId = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(annotationId)) return annotationId
  throw invalid('annotationId', `is ${show(text)}, it must be a whole number, as GET /v1/annotations lists them`)
}
