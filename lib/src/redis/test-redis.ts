/**
 * For tests: Redis servers of a test's own, which it may stop, kill, pause and start again. Without redis-server on the
 * PATH the tests that need one are skipped, and say so.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import pino from 'pino'
import { SystemClock } from '../clock.ts'
import { createRedisClient, type RedisClient } from './redis-client.ts'
import type { RedisDeps } from './redis-connection.ts'
import { type RedisConfig, redisSettings } from './redis-settings.ts'

const silentLog = pino({ level: 'silent' })

export const redisConfig = (url: string, overrides: Partial<RedisConfig> = {}): RedisConfig => ({
  url,
  timeoutMs: Number(redisSettings.timeoutMs.default),
  queueBytesMax: Number(redisSettings.queueBytesMax.default),
  reconnectMsMax: 100,
  ...overrides,
})

/** For `skip` of a test; false when there is a redis-server. */
export const withoutRedisServer: string | false = (() => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    if (process.env['MINUTELY_TEST_REQUIRE_ALL'] === '1') throw new Error('redis-server is not on the PATH')
    return 'redis-server is not on the PATH'
  }
})()

export class TestRedis {
  readonly port: number
  readonly url: string
  readonly #dir: string
  #process: ChildProcess | undefined

  constructor(port: number, dir: string) {
    this.port = port
    this.url = `redis://127.0.0.1:${port}`
    this.#dir = dir
  }

  /** Resolves when it answers. */
  async start(args: readonly string[] = []): Promise<void> {
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#dir, '--save', '']
    const started = spawn('redis-server', [...own, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#process = started
    for await (const chunk of started.stdout) {
      if (String(chunk).includes('Ready to accept connections')) break
    }
    started.stdout.resume()
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined || running.exitCode !== null) return
    const exited = once(running, 'exit')
    running.kill('SIGCONT')
    running.kill(signal)
    await exited
  }

  /** SIGSTOP: connections stay, nothing is answered. */
  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }
}

const cleanups: (() => Promise<void>)[] = []
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

/** Not started yet. */
export async function createTestRedis(): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'minutely-redis-'))
  const redis = new TestRedis(await freePort(), dir)
  cleanups.push(async () => {
    await redis.stop('SIGKILL')
    await rm(dir, { recursive: true, force: true })
  })
  return redis
}

/** A client that is stopped when the file's tests are over; connected, when there is a server. */
export async function connectTestClient(
  url: string,
  more: Partial<RedisConfig & RedisDeps> = {},
): Promise<RedisClient> {
  const deps = { log: more.log ?? silentLog, clock: more.clock ?? new SystemClock() }
  const metrics = more.metrics === undefined ? {} : { metrics: more.metrics }
  const client = createRedisClient(redisConfig(url, more), 'test', { ...deps, ...metrics })
  cleanups.push(() => client.stop())
  await client.start()
  await isReady(client)
  return client
}

/** Resolves when the client is connected, to another server than `before` if that is given. */
export function isReady(client: RedisClient, before?: string): Promise<string> {
  return new Promise((resolve) => {
    const end = client.onReady((runId) => {
      if (runId === before) return
      queueMicrotask(() => end())
      resolve(runId)
    })
  })
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
