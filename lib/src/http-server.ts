/**
 * One HTTP server for every service: limits, health, /metrics, and errors in one shape
 * (`{"error","message","details"}`, ids in schema/src/error-catalogue.ts). Services export fastify plugins; who listens, and
 * on what, is decided in main.
 *
 * /healthz answers 200 while the process lives. /readyz answers 200 only when every readiness check passes, else 503
 * with what is not ready.
 */
import { ApiError } from '@minutely/schema/error-catalogue'
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  LogController,
} from 'fastify'
import type { Registry } from 'prom-client'
import { integer, type Settings, text } from './config.ts'
import type { Service } from './lifecycle.ts'
import type { Logger } from './logging.ts'

export const httpSettings = {
  host: {
    name: 'HOST',
    shape: text,
    default: '127.0.0.1',
    description: 'Address to listen on; loopback only by default',
  },
  port: {
    name: 'PORT',
    shape: integer({ min: 0, max: 65_535 }),
    default: '7070',
    description: 'Port to listen on; 0 takes a free one',
  },
} satisfies Settings

/** Slow-loris and idle bounds, ms: header, whole request, keep-alive (faults.md). */
const headerTimeoutMs = 10_000
const requestTimeoutMs = 15_000
const keepAliveTimeoutMs = 70_000
const headerBytesMax = 16_384
const connectionsMax = 20_000

/** Null when ready, else what is missing, for a person. */
export type ReadinessCheck = () => string | null

export interface HttpServerDeps {
  readonly log: Logger
  readonly registry: Registry
  readonly plugins: readonly FastifyPluginAsync[]
  readonly readiness: readonly ReadinessCheck[]
}

export interface HttpServer extends Service {
  /** Where it listens, e.g. http://127.0.0.1:7070; known after start. */
  readonly url: string
}

export function createHttpServer(config: { host: string; port: number }, deps: HttpServerDeps): HttpServer {
  const app = Fastify({
    loggerInstance: deps.log as never,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    forceCloseConnections: true,
    http: { headersTimeout: headerTimeoutMs, maxHeaderSize: headerBytesMax },
    routerOptions: { maxParamLength: 1024 },
    clientErrorHandler: (error, socket) => {
      if (socket.destroyed || !socket.writable) return
      const body = JSON.stringify({
        error: 'request-invalid',
        message: `The request could not be read: ${error.message}`,
      })
      const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`
      socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`)
    },
  }) as unknown as FastifyInstance
  app.server.maxConnections = connectionsMax
  app.setErrorHandler((error: FastifyError, _request, reply) => sendError(error, reply, deps.log))
  app.setNotFoundHandler((request, reply) =>
    sendError(
      new ApiError(
        'route-not-found',
        `There is no ${request.method} ${request.url.split('?')[0]}; GET /v1/openapi.json lists what there is`,
      ),
      reply,
      deps.log,
    ),
  )
  registerHealth(app, deps)
  for (const plugin of deps.plugins) app.register(plugin)
  let url = ''
  return {
    name: 'http',
    get url() {
      return url
    },
    async start() {
      url = await listen(app, config)
    },
    async stop() {
      await app.close()
    },
  }
}

async function listen(app: FastifyInstance, config: { host: string; port: number }): Promise<string> {
  try {
    return await app.listen(config)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new Error(
      `Port ${config.port} on ${config.host} is taken by another process. Stop it, or choose another: MINUTELY_PORT=7071 npm start`,
      { cause: error },
    )
  }
}

function registerHealth(app: FastifyInstance, deps: HttpServerDeps): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const missing = deps.readiness.map((check) => check()).filter((reason) => reason !== null)
    if (missing.length === 0) return { status: 'ready' }
    return reply.code(503).header('retry-after', '1').send({ status: 'not ready', missing })
  })
  app.get('/metrics', async (_request, reply) => {
    return reply.header('content-type', deps.registry.contentType).send(await deps.registry.metrics())
  })
}

/** The answer to an error of any origin: ours, fastify's (bad HTTP), or a defect. */
function sendError(error: FastifyError | ApiError, reply: FastifyReply, log: Logger): FastifyReply {
  const known = error instanceof ApiError ? error : translate(error, log)
  if (known.retryAfterS !== undefined) reply.header('retry-after', String(known.retryAfterS))
  return reply.code(known.status).send({
    error: known.id,
    message: known.message,
    ...(known.details === undefined ? {} : { details: known.details }),
  })
}

function translate(error: FastifyError, log: Logger): ApiError {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiError('body-too-large', error.message)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ApiError('content-type-unsupported', error.message)
    default:
  }
  const status = error.statusCode ?? 500
  if (status < 500) return new ApiError('request-invalid', error.message)
  log.error({ err: error }, 'a request failed unexpectedly')
  return new ApiError('internal-error', 'The request failed because of a defect of Minutely; the log has the details')
}
