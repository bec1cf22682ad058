/**
 * Connections to brokers, and requests on them. The only file that knows kafkajs, of which it uses the connections, logins and
 * most of the protocol's encoding; its producer, consumer, admin, cluster and retries are left aside (docs/decisions/0009).
 *
 * A link is a connection to one broker for one purpose. Brokers answer the requests of a connection one after the other, so
 * a purpose that may be made to wait (an append, a long poll, a join) has a link of its own and delays nothing else.
 * Each request has a deadline. Past it the link is given up, with whatever else waits on it; the next request makes another.
 */
import { createRequire } from 'node:module'
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface Link extends BrokerAddress {
  readonly purpose: string
}

/** A request failed as a whole. `code`: Kafka's name of the error, or CONNECTION, TIMEOUT, CLOSED. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: string
  constructor(code: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

/** Requests that kafkajs encodes and decodes. */
export type ApiName =
  | 'ListOffsets'
  | 'Metadata'
  | 'OffsetCommit'
  | 'OffsetFetch'
  | 'GroupCoordinator'
  | 'JoinGroup'
  | 'Heartbeat'
  | 'LeaveGroup'
  | 'SyncGroup'
  | 'CreateTopics'
  | 'DeleteTopics'
  | 'DeleteRecords'

/** A request that we encode ourselves (log-requests.ts). */
export interface RawRequest {
  readonly apiKey: number
  readonly apiVersion: number
  readonly apiName: string
  readonly body: Buffer
}

interface Protocol {
  readonly request: object
  readonly response: { readonly decode: (bytes: Buffer) => Promise<unknown> }
}

interface Connection {
  send(protocol: object): Promise<unknown>
  isConnected(): boolean
  disconnect(): Promise<void>
  rejectRequests(error: Error): void
  readonly socket?: { destroy(): void }
}

interface Broker {
  connect(): Promise<void>
  lookupRequest(apiKey: number, definition: unknown): (request: object) => Protocol
  readonly versions: Readonly<Record<number, { maxVersion: number } | undefined>>
  readonly connectionPool: { readonly pool: readonly [Connection, Connection] }
}

interface OpenLink {
  readonly broker: Broker
  readonly ready: Promise<void>
  isReady: boolean
}

const vendorVersion = '2.2.4'
const vendor = loadVendor()

export interface KafkaWireDeps {
  readonly clock: Clock
  readonly log: Logger
}

export class KafkaWire {
  readonly #config: KafkaLogConfig
  readonly #deps: KafkaWireDeps
  readonly #links = new Map<string, OpenLink>()
  #isClosed = false

  constructor(config: KafkaLogConfig, deps: KafkaWireDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** @returns the decoded answer; errors in it are the caller's to look for. */
  async request(link: Link, api: ApiName, request: object, timeoutMs: number): Promise<unknown> {
    return this.#send(link, api, timeoutMs, (broker) => {
      const apiKey = vendor.apiKeys[api]
      const { request: encoded, response } = broker.lookupRequest(apiKey, vendor.requests[api])(request)
      return { request: encoded, response: { decode: response.decode, parse: asItIs }, logResponseError: false }
    })
  }

  async raw(link: Link, { body, ...api }: RawRequest, timeoutMs: number): Promise<Buffer> {
    const answer = await this.#send(link, api.apiName, timeoutMs, (broker) => {
      const newest = broker.versions[api.apiKey]?.maxVersion ?? -1
      if (newest < api.apiVersion) {
        const need = `${api.apiName} version ${api.apiVersion} (Kafka 2.3 or later)`
        throw new KafkaError('UNSUPPORTED_VERSION', `${nameOf(link)} does not know ${need}`)
      }
      // What kafkajs takes for an encoder of its own.
      const encode = async (): Promise<object> => ({ buf: body, buffer: body })
      return { request: { ...api, encode }, response: { decode: async (bytes: Buffer) => bytes, parse: asItIs } }
    })
    return answer as Buffer
  }

  /** Gives up a link: what waits on it fails. */
  drop(link: Link, error = new KafkaError('CLOSED', `the connection to ${nameOf(link)} was given up`)): void {
    const known = this.#links.get(nameOf(link))
    this.#links.delete(nameOf(link))
    if (known !== undefined) discard(known.broker, error)
  }

  close(): void {
    this.#isClosed = true
    const error = new KafkaError('CLOSED', 'the connections to Kafka are closed')
    for (const { broker } of this.#links.values()) discard(broker, error)
    this.#links.clear()
  }

  async #send(link: Link, what: string, timeoutMs: number, encode: (broker: Broker) => object): Promise<unknown> {
    if (this.#isClosed) throw new KafkaError('CLOSED', 'the connections to Kafka are closed')
    const { broker, ready } = this.#open(link)
    const deadline = Promise.withResolvers<never>()
    const cancel = this.#deps.clock.schedule(timeoutMs, () => {
      const message = `${nameOf(link)} did not answer ${what} within ${Math.round(timeoutMs)} ms`
      const error = new KafkaError('TIMEOUT', message)
      if (this.#links.get(nameOf(link))?.broker === broker) this.drop(link, error)
      deadline.reject(error)
    })
    const answer = ready.then(() => broker.connectionPool.pool[0].send(encode(broker)))
    try {
      return await Promise.race([answer, deadline.promise])
    } catch (error) {
      throw this.#failed(link, what, broker, error as Error)
    } finally {
      cancel()
      deadline.promise.catch(() => {})
      answer.catch(() => {})
    }
  }

  #failed(link: Link, what: string, broker: Broker, error: Error): KafkaError {
    const isOurs = error instanceof KafkaError
    const isCurrent = this.#links.get(nameOf(link))?.broker === broker
    if (!broker.connectionPool.pool[0].isConnected() && isCurrent) this.drop(link)
    if (isOurs) return error
    return new KafkaError('CONNECTION', `${what} at ${nameOf(link)} failed: ${error.message}`, { cause: error })
  }

  #open(link: Link): OpenLink {
    const known = this.#links.get(nameOf(link))
    if (known !== undefined && (!known.isReady || known.broker.connectionPool.pool[0].isConnected())) return known
    const broker = this.#makeBroker(link)
    const open: OpenLink = { broker, ready: broker.connect(), isReady: false }
    open.ready.then(
      () => {
        open.isReady = true
      },
      () => {},
    )
    this.#links.set(nameOf(link), open)
    return open
  }

  #makeBroker({ host, port }: Link): Broker {
    const { clientId, ssl, saslMechanism: mechanism, saslUsername: username, saslPassword: password } = this.#config
    const logger = vendorLogger(this.#deps.log)
    const timeoutMs = this.#config.requestTimeoutMs
    const connectionPool = new vendor.ConnectionPool({
      host,
      port,
      clientId,
      logger,
      ssl: ssl ? {} : null,
      sasl: username === '' ? null : { mechanism, username, password },
      socketFactory: vendor.createSocketFactory(),
      connectionTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      // Deadlines are kept here: its own leave the connection in use with an answer still to come.
      enforceRequestTimeout: false,
    })
    const options = { connectionPool, logger, authenticationTimeout: timeoutMs, allowAutoTopicCreation: false }
    return new vendor.Broker(options)
  }
}

/** Kafka's name of an error code, e.g. NOT_LEADER_FOR_PARTITION; undefined for 0. */
export function errorName(code: number): string | undefined {
  return code === 0 ? undefined : (vendor.errorNames.get(code) ?? `ERROR_${code}`)
}

function nameOf({ host, port, purpose }: Link): string {
  return `${host}:${port} (${purpose})`
}

function asItIs<T>(data: T): T {
  return data
}

function discard(broker: Broker, error: Error): void {
  const [connection] = broker.connectionPool.pool
  connection.rejectRequests(error)
  connection.socket?.destroy()
  connection.disconnect().catch(() => {})
}

/** Its errors are ours to report, with what was to be done; debug lines are never wanted. */
function vendorLogger(log: Logger): object {
  const write = (message: string, { stack: _, ...extra }: { stack?: string } = {}): void => {
    log.debug(extra, `kafkajs: ${message}`)
  }
  const logger = { namespace: () => logger, error: write, warn: write, info: write, debug: () => {} }
  return logger
}

function loadVendor() {
  const require = createRequire(import.meta.url)
  const { version } = require('kafkajs/package.json') as { version: string }
  if (version !== vendorVersion) {
    throw new Error(
      `kafkajs is ${version}, but its inner files are used here as they are in ${vendorVersion}: run npm ci`,
    )
  }
  const { errorCodes } = require('kafkajs/src/protocol/error') as { errorCodes: { code: number; type: string }[] }
  const queue = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }
  const schedule = queue.prototype.scheduleCheckPendingRequests
  // With nothing pending it would set a timer into the past, and Node prints a TimeoutNegativeWarning for each.
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this)
  }
  return {
    Broker: require('kafkajs/src/broker') as new (options: object) => Broker,
    ConnectionPool: require('kafkajs/src/network/connectionPool') as new (options: object) => object,
    createSocketFactory: require('kafkajs/src/network/socketFactory') as () => unknown,
    apiKeys: require('kafkajs/src/protocol/requests/apiKeys') as Readonly<Record<ApiName, number>>,
    requests: (require('kafkajs/src/protocol/requests') as { requests: Readonly<Record<ApiName, unknown>> }).requests,
    errorNames: new Map(errorCodes.map(({ code, type }) => [code, type])),
  }
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}
