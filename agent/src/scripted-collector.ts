/**
 * A collector for tests: a real HTTP server on a free port of loopback that answers by a script and keeps what it was
 * sent. Tests wait for a request (`request(n)`), never for time.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { zstdDecompressSync } from 'node:zlib'
import { decodeSampleBatch, type SampleBatch } from '@minutely/schema/sample-codec'

export interface CollectorRequest {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly batch: SampleBatch
  /** Times of the first slots of its blocks. */
  readonly starts: readonly number[]
}

/** How the n-th request is answered; beyond the script, all is accepted. */
export type ScriptedAnswer = (response: ServerResponse, request: CollectorRequest) => void

export interface ScriptedCollector {
  readonly url: string
  readonly requests: readonly CollectorRequest[]
  /** Connections that were opened. */
  readonly connectionCount: number
  /** How often GET /healthz was asked; not among the requests. */
  readonly healthChecks: number
  /** Resolves with the n-th request (1 is the first) once it has been answered. */
  request(n: number): Promise<CollectorRequest>
  close(): Promise<void>
}

export const accept: ScriptedAnswer = (response) => answer(202, { accepted: 1, rejected: [] })(response)

export function answer(status: number, body: unknown, headers: Record<string, string> = {}) {
  return (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }
}

/** Takes the request and hangs up: the client cannot know whether it was stored. */
export const loseAnswer: ScriptedAnswer = (response) => response.destroy()
/** Takes the request and says nothing. */
export const hang: ScriptedAnswer = () => {}

export async function createScriptedCollector(
  script: readonly ScriptedAnswer[] = [],
  { health = answer(200, { status: 'ok' }) }: { health?: (response: ServerResponse) => void } = {},
): Promise<ScriptedCollector> {
  const requests: CollectorRequest[] = []
  const waiting: { n: number; resolve: () => void }[] = []
  let connectionCount = 0
  let healthChecks = 0
  const server = createServer((incoming, response) => {
    if (incoming.url === '/healthz') {
      healthChecks += 1
      health(response)
      return
    }
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const batch = decodeSampleBatch(zstdDecompressSync(Buffer.concat(chunks)))
      const { method, url, headers } = incoming
      const request = { method, path: url, headers, batch, starts: batch.blocks.map(({ startMs }) => startMs) }
      const scripted = script[requests.length] ?? accept
      requests.push(request)
      scripted(response, request)
      for (const { n, resolve } of waiting) if (n <= requests.length) resolve()
    })
  })
  server.on('connection', () => {
    connectionCount += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    get connectionCount() {
      return connectionCount
    },
    get healthChecks() {
      return healthChecks
    },
    async request(n) {
      if (requests.length < n) await new Promise<void>((resolve) => waiting.push({ n, resolve }))
      const request = requests[n - 1]
      if (request === undefined) throw new Error(`there is no request ${n}`)
      return request
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
