/** The server over real connections; where the words of HTTP matter, over a bare socket. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request as httpRequest, type Server, type ServerResponse } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ApiError, errorAnswer } from '@minutely/schema/error-catalogue'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import pino from 'pino'
import { Counter, Registry } from 'prom-client'
import { VirtualClock } from './clock.ts'
import { loadConfig } from './config.ts'
import {
  createHttpServer,
  type HttpServer,
  type HttpServerConfig,
  type HttpServerDeps,
  httpSettings,
} from './http-server.ts'

const log = pino({ level: 'silent' })
const loopback = { host: '127.0.0.1', port: 0 }

async function serve(
  t: TestContext,
  plugin: FastifyPluginAsync = async () => {},
  { config = loopback, ...deps }: Partial<HttpServerDeps> & { config?: HttpServerConfig } = {},
): Promise<HttpServer> {
  const server = createHttpServer(config, {
    log,
    registry: new Registry(),
    plugins: [plugin],
    readiness: [],
    ...deps,
  })
  t.after(() => server.stop())
  await server.start()
  return server
}

/** Sends these bytes and returns all that comes until the server closes the connection. */
async function raw(server: HttpServer, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(bytes)
  return text(socket)
}

/** A raw answer, taken apart; its body must have the shape of an error and the length it says. */
function errorOf(answer: string): { status: number; error: string; message: string } {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  assert.equal(Number(/content-length: (\d+)/i.exec(head)?.[1]), Buffer.byteLength(body), answer)
  const { error, message } = errorAnswer.strict().parse(JSON.parse(body))
  return { status: Number(head.split(' ')[1]), error, message }
}

async function errorFrom(response: Response): Promise<{ status: number; error: string; message: string }> {
  const { error, message } = errorAnswer.parse(await response.json())
  return { status: response.status, error, message }
}

test('/healthz lives, /metrics has the registry of its own', async (t) => {
  const registry = new Registry()
  new Counter({ name: 'minutely_test_total', help: 'x', registers: [registry] }).inc(3)
  const { url } = await serve(t, undefined, { registry })
  assert.deepEqual(await (await fetch(`${url}/healthz`)).json(), { status: 'ok' })
  const metrics = await fetch(`${url}/metrics`)
  assert.equal(metrics.headers.get('content-type'), registry.contentType)
  assert.match(await metrics.text(), /^minutely_test_total 3$/m)
})

test('/readyz: 503 with all that is missing and Retry-After, until nothing is', async (t) => {
  const missing: (string | null)[] = ['the log: is not started', null, 'the store: connection refused']
  const { url } = await serve(t, undefined, { readiness: missing.map((_, index) => () => missing[index] ?? null) })
  const response = await fetch(`${url}/readyz`)
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('retry-after'), '1')
  assert.deepEqual(await response.json(), { status: 'not ready', missing: [missing[0], missing[2]] })
  missing.fill(null)
  const ready = await fetch(`${url}/readyz`)
  assert.deepEqual([ready.status, await ready.json()], [200, { status: 'ready' }])
})

test('/readyz says the details of a process, ready or not', async (t) => {
  const missing: (string | null)[] = [null]
  const waiting = { samples: 3 }
  const { url } = await serve(t, undefined, {
    readiness: [() => missing[0] ?? null],
    readyDetails: () => ({ waiting }),
  })
  assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { status: 'ready', waiting })
  missing[0] = 'the spool: no space'
  assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { status: 'not ready', missing, waiting })
})

test('an unknown route: 404 that names it without its query, for any method and before its body is judged', async (t) => {
  const { url } = await serve(t)
  for (const init of [
    {},
    { method: 'OPTIONS' },
    { method: 'DELETE' },
    { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } },
    { method: 'POST', body: 'x', headers: { 'content-type': 'image/png' } },
    { method: 'POST', body: 'x'.repeat(2_000_000) },
  ]) {
    assert.deepEqual(await errorFrom(await fetch(`${url}/v1/nothing?secret=1`, init)), {
      status: 404,
      error: 'route-not-found',
      message: `There is no ${init.method ?? 'GET'} /v1/nothing; GET /v1/openapi.json lists what there is`,
    })
  }
})

test('HEAD is GET without a body', async (t) => {
  const { url } = await serve(t)
  const known = await fetch(`${url}/healthz`, { method: 'HEAD' })
  assert.deepEqual([known.status, await known.text()], [200, ''])
  const unknown = await fetch(`${url}/nothing`, { method: 'HEAD' })
  assert.deepEqual([unknown.status, await unknown.text()], [404, ''])
})

test('pages of other origins are told nothing: no CORS header, no answer to a preflight', async (t) => {
  const { url } = await serve(t, async (app) => void app.post('/v1/samples', async () => ({})))
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
  for (const method of ['OPTIONS', 'POST', 'GET']) {
    const response = await fetch(`${url}/v1/samples`, { method, headers })
    assert.equal(response.status, method === 'POST' ? 200 : 404)
    assert.deepEqual(
      [...response.headers.keys()].filter((name) => name.startsWith('access-control')),
      [],
    )
  }
})

test('an ApiError is its status, id, message, details and Retry-After', async (t) => {
  const { url } = await serve(t, async (app) => {
    app.get('/full', async () => {
      throw new ApiError('log-full', 'The log is full', {
        retryAfterS: 7,
        details: { bytes: 1 },
        cause: new Error('x'),
      })
    })
    app.get('/plain', async () => {
      throw new ApiError('range-invalid', 'from is after to')
    })
  })
  const full = await fetch(`${url}/full`)
  assert.deepEqual([full.status, full.headers.get('retry-after')], [503, '7'])
  assert.deepEqual(await full.json(), { error: 'log-full', message: 'The log is full', details: { bytes: 1 } })
  const plain = await fetch(`${url}/plain`)
  assert.deepEqual([plain.status, plain.headers.get('retry-after')], [400, null])
  assert.deepEqual(await plain.json(), { error: 'range-invalid', message: 'from is after to' })
})

test('whatever else is thrown: 500 that says nothing of it, while the log does', async (t) => {
  const logged: string[] = []
  const loud = pino({ level: 'error' }, { write: (line) => void logged.push(line) })
  const thrown: Record<string, unknown> = {
    error: new Error('password is hunter2'),
    status: Object.assign(new Error('password is hunter2'), { statusCode: 503 }),
    text: 'password is hunter2',
    object: { statusCode: 400, message: 'password is hunter2' },
  }
  const { url } = await serve(
    t,
    async (app) => {
      for (const [name, value] of Object.entries(thrown)) {
        app.get(`/${name}`, async () => {
          throw value
        })
      }
    },
    { log: loud },
  )
  for (const name of Object.keys(thrown)) {
    logged.length = 0
    const { message, ...rest } = await errorFrom(await fetch(`${url}/${name}`))
    assert.deepEqual(rest, { status: 500, error: 'internal-error' }, name)
    assert.doesNotMatch(message, /hunter2/)
    assert.equal(logged.length, 1, name)
    assert.match(logged[0] ?? '', /a request failed unexpectedly/)
    assert.match(logged[0] ?? '', /hunter2/)
  }
})

test("fastify's own refusals have our shape", async (t) => {
  const { url } = await serve(t, async (app) => {
    app.post('/json', { bodyLimit: 100 }, async () => ({}))
    app.get('/named/:name', async () => ({}))
  })
  const post = (body: string, type = 'application/json'): Promise<Response> =>
    fetch(`${url}/json`, { method: 'POST', body, headers: { 'content-type': type } })
  assert.equal((await errorFrom(await post('{'))).error, 'request-invalid')
  assert.equal((await errorFrom(await post('{}', 'image/png'))).error, 'content-type-unsupported')
  assert.equal((await errorFrom(await post(`"${'x'.repeat(200)}"`))).error, 'body-too-large')
  assert.equal((await errorFrom(await fetch(`${url}/named/%ff`))).error, 'request-invalid')
  assert.equal((await errorFrom(await fetch(`${url}/named/${'x'.repeat(2000)}`))).error, 'request-invalid')
})

test('what is no HTTP gets an error in our shape too, and the connection is closed', async (t) => {
  const server = await serve(t)
  for (const bytes of [
    'hello\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  ]) {
    const { status, error, message } = errorOf(await raw(server, bytes))
    assert.deepEqual([status, error], [400, 'request-invalid'], bytes)
    assert.match(message, /could not be read: Parse Error/)
  }
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
})

test('headers beyond 16 KiB: 431', async (t) => {
  const server = await serve(t)
  const large = `GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: ${'x'.repeat(17_000)}\r\n\r\n`
  const { status, error } = errorOf(await raw(server, large))
  assert.deepEqual([status, error], [431, 'headers-too-large'])
  assert.equal(errorOf(await raw(server, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`)).error, 'headers-too-large')
})

test('bytes that are no HTTP behind a request whose answer has begun are not answered in the middle of it', async (t) => {
  const server = await serve(t, async (app) => {
    app.get('/stream', async (_request, reply) => {
      reply.hijack()
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
      reply.raw.write('data: 1\n\n')
    })
  })
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.on('error', () => {})
  let received = ''
  socket.on('data', (chunk) => {
    if (!received.includes('data: 1') && `${received}${chunk}`.includes('data: 1')) socket.write('no HTTP\r\n\r\n')
    received += chunk
  })
  socket.write('GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'close')
  assert.equal(received.match(/HTTP\/1\.1/g)?.length, 1, received)
})

test('slow and idle connections are bounded', async (t) => {
  let server: Server | undefined
  await serve(t, async (app: FastifyInstance) => {
    server = app.server
  })
  assert.deepEqual(
    [server?.headersTimeout, server?.requestTimeout, server?.keepAliveTimeout, server?.maxConnections],
    [10_000, 15_000, 100_000, 20_000],
  )
})

const timeoutOfNode = (): Error => Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })

test('what does not arrive in time is a 408, to be sent again', async (t) => {
  let server: Server | undefined
  const http = await serve(t, async (app: FastifyInstance) => {
    server = app.server
  })
  const socket = connect(Number(new URL(http.url).port), '127.0.0.1')
  const answer = text(socket)
  const [accepted] = (await once(server ?? assert.fail(), 'connection')) as [Socket]
  socket.write('GET /healthz HTTP/1.1\r\n')
  while (accepted.bytesRead === 0) await nextTurn()
  // What node emits when a bound is passed.
  server?.emit('clientError', timeoutOfNode(), accepted)
  const { status, error, message } = errorOf(await answer)
  assert.deepEqual([status, error], [408, 'request-timeout'])
  assert.match(message, /headers have 10 s, the whole of it 15 s/)
})

test('a connection that nothing was asked on yet gets no 408, which would meet its first request; it is closed when idle', async (t) => {
  let server: Server | undefined
  const http = await serve(t, async (app: FastifyInstance) => {
    server = app.server
  })
  const socket = connect(Number(new URL(http.url).port), '127.0.0.1')
  const answer = text(socket)
  const [accepted] = (await once(server ?? assert.fail(), 'connection')) as [Socket]
  server?.emit('clientError', timeoutOfNode(), accepted)
  assert.equal(accepted.timeout, 100_000)
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  assert.match(await answer, /^HTTP\/1\.1 200 OK/)
})

test('a taken port is named with the setting that chooses another, and stop works after such a start', async (t) => {
  const blocker = createServer().listen(0, '127.0.0.1')
  t.after(() => blocker.close())
  await once(blocker, 'listening')
  const { port } = blocker.address() as { port: number }
  const config = { host: '127.0.0.1', port }
  const deps = { log, registry: new Registry(), plugins: [], readiness: [] }
  for (const [settings, name] of [
    [{}, 'MINUTELY_PORT'],
    [{ settings: { port: { name: 'AGENT_PORT' } } }, 'MINUTELY_AGENT_PORT'],
  ] as const) {
    const server = createHttpServer(config, { ...deps, ...settings })
    await assert.rejects(server.start(), {
      message: `Port ${port} on 127.0.0.1 is taken by another process. Stop that, or set ${name} to a free port (0 takes any)`,
    })
    await server.stop()
  }
})

test('stop without a start, and a second stop, do nothing', async () => {
  const server = createHttpServer(loopback, { log, registry: new Registry(), plugins: [], readiness: [] })
  await server.stop()
  await server.stop()
})

/** Every kind of path is asked with this Host header. */
async function statusesFor(server: HttpServer, host: string): Promise<Set<string>> {
  const answers = await Promise.all(
    ['/healthz', '/readyz', '/metrics', '/v1/ours', '/v1/nothing'].map((path) =>
      raw(server, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    ),
  )
  return new Set(answers.map((answer) => answer.split(' ')[1] ?? ''))
}

const ourRoute: FastifyPluginAsync = async (app) => void app.get('/v1/ours', async () => ({}))

test('on loopback another name in Host is refused everywhere: DNS rebinding', async (t) => {
  const server = await serve(t, ourRoute)
  const port = new URL(server.url).port
  assert.deepEqual(await statusesFor(server, `evil.example:${port}`), new Set(['421']))
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'localhost']) {
    assert.deepEqual(await statusesFor(server, host), new Set(['200', '404']), host)
  }
  const answer = errorOf(await raw(server, 'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'))
  assert.deepEqual(answer, {
    status: 421,
    error: 'host-not-allowed',
    message:
      'Host "evil.example" is not a name of this server, which answers under localhost or an address; ' +
      'add it to MINUTELY_ALLOWED_HOSTS if it should be',
  })
})

test('listed names are answered; a server without the setting does not advise it', async (t) => {
  const { http } = loadConfig(
    { http: httpSettings },
    { MINUTELY_PORT: '0', MINUTELY_ALLOWED_HOSTS: 'metrics.example, other' },
  )
  const server = await serve(t, ourRoute, { config: http })
  assert.deepEqual(await statusesFor(server, 'Metrics.Example'), new Set(['200', '404']))
  assert.deepEqual(await statusesFor(server, 'evil.example'), new Set(['421']))

  const agent = await serve(t, ourRoute, { settings: { port: { name: 'AGENT_PORT' } } })
  const refused = errorOf(await raw(agent, 'GET / HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n'))
  assert.doesNotMatch(refused.message, /MINUTELY/)
})

test('listening everywhere, any name is answered; without Host only HTTP/1.0 is', async (t) => {
  const everywhere = await serve(t, ourRoute, { config: { host: '0.0.0.0', port: 0 } })
  assert.deepEqual(await statusesFor(everywhere, 'anything.example'), new Set(['200', '404']))
  const server = await serve(t)
  assert.match(await raw(server, 'GET /healthz HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200/)
  const without = errorOf(await raw(server, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'))
  assert.deepEqual([without.status, without.error], [400, 'request-invalid'])
})

test('listening on localhost: both families, guarded, stopped', async (t) => {
  const server = await serve(t, ourRoute, { config: { host: 'localhost', port: 0 } })
  const port = new URL(server.url).port
  assert.deepEqual(await (await fetch(`http://localhost:${port}/healthz`)).json(), { status: 'ok' })
  await server.stop()
  await assert.rejects(fetch(`http://localhost:${port}/healthz`))
})

test('an answer that has begun is finished before the stop, one that comes on its connection too', async (t) => {
  const asked = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const server = await serve(t, async (app) => {
    app.get('/slow', async () => {
      asked.resolve()
      await release.promise
      return { slow: true }
    })
  })
  const answer = fetch(`${server.url}/slow`)
  await asked.promise
  const stopped = server.stop()
  release.resolve()
  assert.deepEqual(await (await answer).json(), { slow: true })
  await stopped
  await assert.rejects(fetch(`${server.url}/healthz`))
})

test('kept connections are closed by a stop', async (t) => {
  const server = await serve(t)
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const request = httpRequest(`${server.url}/healthz`, { agent }).end()
  const [response] = await once(request, 'response')
  await text(response)
  const { socket } = request
  const closed = once(socket ?? assert.fail(), 'close')
  await server.stop()
  await closed
})

test('live streams are ended by their plugin, and the stop does not wait for its time', async (t) => {
  const streams = new Set<ServerResponse>()
  const clock = new VirtualClock(0)
  const server = await serve(
    t,
    async (app) => {
      app.get('/live', async (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
        reply.raw.write('data: 1\n\n')
        streams.add(reply.raw)
      })
      app.addHook('preClose', async () => {
        for (const stream of streams) stream.end('data: bye\n\n')
      })
    },
    { clock },
  )
  const response = await fetch(`${server.url}/live`)
  await server.stop()
  assert.equal(await response.text(), 'data: 1\n\ndata: bye\n\n')
  assert.equal(clock.pendingCount, 0)
})

test('what does not end within 2 s of a stop is cut', async (t) => {
  const clock = new VirtualClock(0)
  const server = await serve(
    t,
    async (app) => {
      app.get('/live', async (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
        reply.raw.write('data: 1\n\n')
      })
    },
    { clock },
  )
  const response = await fetch(`${server.url}/live`)
  const stopped = server.stop()
  while (clock.pendingCount === 0) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(2000)
  await stopped
  await assert.rejects(response.text())
})
