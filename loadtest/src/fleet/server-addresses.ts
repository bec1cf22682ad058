/**
 * The servers below a fleet: those that the environment names, or own ones on free ports, started by scripts/servers.mjs in a
 * temporary folder and stopped with us.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface ServerAddresses {
  readonly kafkaBootstrap: string
  readonly schemaRegistryUrl: string
  readonly redisUrl: string
  readonly postgresUrl: string
  /** Of those that were started here. */
  readonly pids?: Readonly<Record<string, readonly number[]>>
}

const variables = {
  kafka: ['kafkaBootstrap', 'KAFKA_BOOTSTRAP'],
  registry: ['schemaRegistryUrl', 'SCHEMA_REGISTRY_URL'],
  redis: ['redisUrl', 'REDIS_URL'],
  postgres: ['postgresUrl', 'MINUTELY_POSTGRES_URL'],
} as const satisfies Record<string, readonly [Exclude<keyof ServerAddresses, 'pids'>, string]>

type ServerKind = keyof typeof variables
const kinds = Object.keys(variables) as ServerKind[]
const script = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url))

export class Servers {
  #addresses: ServerAddresses | undefined
  #child: ChildProcess | undefined
  readonly #own: ReadonlySet<ServerKind>
  /** Of those that are not ours. */
  readonly #urls: Partial<Record<ServerKind, string>>

  /** `own`: started by us whatever the environment names. `given`: known otherwise. */
  constructor({ own = [], given = {} }: { own?: readonly ServerKind[]; given?: Partial<Record<ServerKind, string>> }) {
    this.#urls = Object.fromEntries(
      kinds.flatMap((kind) => {
        const url = own.includes(kind) ? undefined : (given[kind] ?? process.env[variables[kind][1]])
        return url ? [[kind, url]] : []
      }),
    )
    this.#own = new Set(kinds.filter((kind) => this.#urls[kind] === undefined))
  }

  get addresses(): ServerAddresses {
    if (this.#addresses === undefined) throw new Error('BUG: the servers have not started')
    return this.#addresses
  }

  async start(deps: { onProgress?: (message: string) => void } = {}): Promise<void> {
    const given = kinds.flatMap((kind) => (this.#own.has(kind) ? [] : [[variables[kind][0], this.#urls[kind]]]))
    this.#addresses = { ...Object.fromEntries(given), ...(await this.#startOwn(deps.onProgress ?? (() => {}))) }
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }

  async #startOwn(onProgress: (message: string) => void): Promise<Partial<ServerAddresses>> {
    if (this.#own.size === 0) return {}
    const options = ['--json', '--free-ports', '--temporary', '--only', [...this.#own].join(',')]
    const child = spawn(process.execPath, [script, ...options], {
      // A process group of its own, so that Ctrl-C in a terminal does not stop the servers before what uses them; the
      // channel, so that they end with us.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    this.#child = child
    let said = ''
    if (child.stdout === null || child.stderr === null) throw new Error('BUG: no pipe')
    createInterface({ input: child.stderr }).on('line', (line) => {
      said = `${said}${line}\n`.slice(-3_000)
      onProgress(line)
    })
    const answer = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`scripts/servers.mjs ended with ${code}:\n${said}`)
    })
    ended.catch(() => {})
    const [line] = await Promise.race([answer, ended])
    return JSON.parse(line) as Partial<ServerAddresses>
  }
}
