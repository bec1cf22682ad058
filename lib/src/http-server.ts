/**
 * One HTTP server for every service: limits, health, /metrics, and errors in one shape
 * (`{"error","message","details"}`, ids in schema/src/error-catalogue.ts). Services export fastify plugins; who listens, and
 * on what, is decided in main.
 *
 * /healthz answers 200 while the process lives. /readyz answers 200 only when every readiness check passes, else 503
 * with what is not ready.
 *
 * Browsers: no CORS header is ever sent, so pages of other origins can neither read nor send JSON; allowed-hosts.ts keeps
 * them from becoming our origin. A stop lets answers that have begun finish (open-answers.ts).
 */
import type { AddressInfo, Socket } from 'node:net'
import { ApiError } from '@minutely/schema/error-catalogue'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyRequest, LogController } from 'fastify'
import type { Registry } from 'prom-client'
import { AllowedHosts, hostNames } from './allowed-hosts.ts'
import { type Clock, SystemClock } from './clock.ts'
import { integer, prefix, type Settings, text } from './config.ts'
import { answerBadHttp, routeNotFound, sendError } from './http-errors.ts'
import type { Service } from './lifecycle.ts'
import { type AddressSettings, listenError } from './listen-address.ts'
import type { Logger } from './logging.ts'
import { OpenAnswers } from './open-answers.ts'
import { refuseOtherMethods } from './other-methods.ts'

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
  allowedHosts: {
    name: 'ALLOWED_HOSTS',
    shape: hostNames,
    default: '',
    description:
      'Host names under which it answers besides `localhost` and addresses, separated by commas, e.g. of a reverse proxy. ' +
      'Without any, all names are answered unless it listens on loopback',
  },
} satisfies Settings

/** Slow-loris bounds, ms: header, whole request. */
const headerTimeoutMs = 10_000
const requestTimeoutMs = 15_000
/** Longer than the 90 s after which Go's client, and the proxies built on it, close an idle connection: who closes first never meets a request. */
const keepAliveTimeoutMs = 100_000
/** How often node looks for requests past the first two; its own 30 s would make 40 s of the 10. */
const timeoutCheckMs = 2_000
const headerBytesMax = 16_384
const connectionsMax = 20_000
/** For answers that have begun when it stops, ms; of the 9 s that all stops have together. */
const drainTimeoutMs = 2_000

/** Null when ready, else what is missing, for a person. */
export type ReadinessCheck = () => string | null

export interface HttpServerConfig {
  readonly host: string
  readonly port: number
  readonly allowedHosts?: readonly string[]
}

export interface HttpServerDeps {
  readonly log: Logger
  readonly registry: Registry
  readonly plugins: readonly FastifyPluginAsync[]
  readonly readiness: readonly ReadinessCheck[]
  /** What /readyz says beside it, ready or not. */
  readonly readyDetails?: () => Readonly<Record<string, unknown>>
  /** What its config was read by, to be named in messages; httpSettings unless given. */
  readonly settings?: AddressSettings & { readonly allowedHosts?: { readonly name: string } }
  /** The machine's unless given. */
  readonly clock?: Clock
}

export interface HttpServer extends Service {
  /** Where it listens, e.g. http://127.0.0.1:7070; known after start. */
  readonly url: string
}

export function createHttpServer(config: HttpServerConfig, deps: HttpServerDeps): HttpServer {
  const { log, settings = httpSettings, clock = new SystemClock() } = deps
  const answers = new OpenAnswers()
  const app = createApp(answers, log)
  let allowedHosts: AllowedHosts | undefined
  app.addHook('onRequest', (request, reply, done) => {
    answers.begin(reply.raw, request.raw.socket)
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
      done(new ApiError('request-invalid', 'The request has no Host header'))
    } else if (allowedHosts?.allows(request.headers.host) === false) {
      done(hostNotAllowed(request, settings.allowedHosts?.name))
    } else {
      // Here, or the body of a request for nothing would be judged first.
      done(request.is404 ? routeNotFound(request) : undefined)
    }
  })
  registerHealth(app, deps)
  for (const plugin of deps.plugins) app.register(plugin)
  // Behind the hooks of the plugins, which end live streams.
  app.register(async (last) => {
    last.addHook('preClose', async () => {
      app.server.close()
      await answers.drain(drainTimeoutMs, clock)
    })
  })
  let url = ''
  return {
    name: 'http',
    get url() {
      return url
    },
    async start() {
      // Before anything can be asked.
      app.server.once('listening', () => {
        allowedHosts = new AllowedHosts(config.allowedHosts ?? [], app.server.address() as AddressInfo)
      })
      try {
        url = await app.listen({ host: config.host, port: config.port })
      } catch (error) {
        throw listenError(error, config, settings)
      }
      log.info({ url }, `listening on ${url}`)
    },
    async stop() {
      await app.close()
    },
  }
}

function createApp(answers: OpenAnswers, log: Logger): FastifyInstance {
  const app = Fastify({
    // It would say where it listens in words of its own.
    loggerInstance: (log.isLevelEnabled('info') ? log.child({}, { level: 'warn' }) : log) as never,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    // After the drain.
    forceCloseConnections: true,
    // Its 503 has another shape; what comes on an open connection during the drain is answered like any other.
    return503OnClosing: false,
    http: {
      headersTimeout: headerTimeoutMs,
      maxHeaderSize: headerBytesMax,
      connectionsCheckingInterval: timeoutCheckMs,
      // We do, with a body.
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: 1024 },
    frameworkErrors: (error, _request, reply) => void sendError(error, reply, log),
    clientErrorHandler: (error, socket) => {
      if (isUnused(error, socket)) return void socket.setTimeout(keepAliveTimeoutMs)
      if (!socket.writable || error.code === 'ECONNRESET' || answers.hasBegunOn(socket)) return void socket.destroy()
      answerBadHttp(error, socket, { headerTimeoutMs, requestTimeoutMs, headerBytesMax })
    },
  }) as unknown as FastifyInstance
  app.server.maxConnections = connectionsMax
  app.setErrorHandler((error, _request, reply) => sendError(error, reply, log))
  app.setNotFoundHandler((request, reply) => sendError(routeNotFound(request), reply, log))
  return app
}

/**
 * Nothing was asked on it yet: clients and proxies connect ahead of need. An answer now would be taken for that of the
 * request they send at this moment; so it is an idle connection, which node closes after its timeout.
 */
function isUnused({ code }: NodeJS.ErrnoException, { bytesRead }: Socket): boolean {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' && bytesRead === 0
}

function hostNotAllowed({ headers }: FastifyRequest, allowedHostsSetting: string | undefined): ApiError {
  const advice = allowedHostsSetting === undefined ? '' : `; add it to ${prefix}${allowedHostsSetting} if it should be`
  return new ApiError(
    'host-not-allowed',
    `Host ${JSON.stringify(headers.host?.slice(0, 100))} is not a name of this server, which answers under localhost or an address${advice}`,
  )
}

function registerHealth(app: FastifyInstance, deps: HttpServerDeps): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const missing = deps.readiness.map((check) => check()).filter((reason) => reason !== null)
    const details = deps.readyDetails?.()
    if (missing.length === 0) return { status: 'ready', ...details }
    return reply
      .code(503)
      .header('retry-after', '1')
      .send({ status: 'not ready', missing, ...details })
  })
  app.get('/metrics', async (_request, reply) => {
    return reply.header('content-type', deps.registry.contentType).send(await deps.registry.metrics())
  })
  for (const url of ['/healthz', '/readyz', '/metrics']) refuseOtherMethods(app, { url, allowed: 'GET, HEAD' })
}
