/**
 * The real registry for tests, behind a proxy of ours that counts requests and can be down (connections are reset) or
 * silent (requests are taken and never answered). Each has a subject of its own, which it deletes.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { releasedSchemas } from '@minutely/schema/released-schemas'
import { RecordCodec } from '@minutely/schema/sample-codec'
import pino from 'pino'
import { Registry } from 'prom-client'
import { SystemClock } from '../clock.ts'
import { createRecordSchemas, type RecordSchemas, type SchemaRegistryConfig } from './record-schemas.ts'
import { createSchemaRegistryMetrics } from './schema-registry-metrics.ts'

/** '' without one: such tests are skipped. */
export const registryUrl = process.env['SCHEMA_REGISTRY_URL'] ?? ''

/** The first release, whatever is current. */
export const firstCodec = new RecordCodec(releasedSchemas('sample-record').slice(0, 1))

export interface TestProcess extends RecordSchemas {
  /** Messages of its log so far. */
  readonly messages: readonly string[]
  /** Resolves when such a message is logged. */
  logged(pattern: RegExp): Promise<void>
  metrics(): Promise<string>
}

export interface ProcessOptions {
  readonly role: 'writer' | 'reader'
  readonly codec?: RecordCodec
  readonly config?: Partial<SchemaRegistryConfig>
}

export class TestRegistry {
  mode: 'up' | 'down' | 'silent' = 'up'
  readonly subject = `test-${randomUUID()}`
  /** `GET /schemas/ids/7`, in order. */
  readonly requests: string[] = []
  /** Answered instead of the registry, each once, in order: what it says only when two are at it in the same instant. */
  readonly conflicts: { readonly request: RegExp; readonly status: number; readonly message: string }[] = []
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #processes: RecordSchemas[] = []

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  /** A process of a release with this codec; it is stopped with the registry. */
  process({ role, codec = firstCodec, config }: ProcessOptions): TestProcess {
    const metrics = new Registry()
    const messages: string[] = []
    const waiting: { pattern: RegExp; resolve: () => void }[] = []
    const write = (line: string): void => {
      const { msg } = JSON.parse(line)
      messages.push(msg)
      for (const { pattern, resolve } of waiting) if (pattern.test(msg)) resolve()
    }
    const { port } = this.#server.address() as AddressInfo
    const settings = { url: `http://127.0.0.1:${port}`, user: '', password: '', subject: this.subject }
    const bounds = { timeoutMs: 5_000, retryMs: 50, refreshMs: 60_000, schemasMax: 100 }
    const schemas = createRecordSchemas(
      { ...settings, ...bounds, ...config },
      {
        role,
        codec,
        clock: new SystemClock(),
        log: pino({}, { write }),
        metrics: createSchemaRegistryMetrics(metrics),
      },
    )
    this.#processes.push(schemas)
    return {
      ...schemas,
      messages,
      logged(pattern) {
        const { promise, resolve } = Promise.withResolvers<void>()
        if (messages.some((message) => pattern.test(message))) resolve()
        waiting.push({ pattern, resolve })
        return promise
      },
      metrics: () => metrics.metrics(),
    }
  }

  /** The id of any schema, under a subject of its own beside ours. */
  async registerOther(schema: unknown, suffix: string): Promise<number> {
    const body = JSON.stringify({ schema: JSON.stringify(schema) })
    const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
    const url = `${registryUrl}/subjects/${this.subject}${suffix}/versions`
    const answer = (await (await fetch(url, { method: 'POST', headers, body })).json()) as { id: number }
    return answer.id
  }

  async stop(): Promise<void> {
    for (const process of this.#processes) await process.stop()
    const subjects = (await (await fetch(`${registryUrl}/subjects`)).json()) as string[]
    for (const subject of subjects.filter((name) => name.startsWith(this.subject))) {
      await fetch(`${registryUrl}/subjects/${subject}`, { method: 'DELETE' })
      await fetch(`${registryUrl}/subjects/${subject}?permanent=true`, { method: 'DELETE' })
    }
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`)
    if (this.mode === 'down') request.socket.destroy()
    if (this.mode !== 'up') return
    const body = request.method === 'GET' ? {} : { body: await buffer(request) }
    const headers = { 'content-type': request.headers['content-type'] ?? '' }
    const answer = await fetch(`${registryUrl}${request.url}`, { method: request.method ?? 'GET', headers, ...body })
    const conflict = this.conflicts[0]
    if (conflict?.request.test(`${request.method} ${request.url}`)) {
      this.conflicts.shift()
      response.writeHead(conflict.status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
      response.end(JSON.stringify({ error_code: conflict.status, message: conflict.message }))
      return
    }
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  }
}
