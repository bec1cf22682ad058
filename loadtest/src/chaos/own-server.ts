/**
 * One server of a run, ours alone, so that it may be killed: scripts/servers.mjs with a folder and a port that stay, so a
 * server that is started again has its data and is where it was.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { restartBroker } from '../fleet/restart-broker.ts'

export type OwnServerKind = 'kafka' | 'registry' | 'redis' | 'postgres'

const script = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url))
/** Small ones: a run has few series, and the machine much else to do. */
const sizes: Partial<Record<OwnServerKind, readonly string[]>> = {
  kafka: ['--kafka-heap-mb', '384'],
  redis: ['--redis-memory-mb', '128'],
}
/** Below the range that systems give to outgoing connections. */
const portMin = 20_000
const portMax = 31_000
const portAttemptsMax = 200
const shownCharactersMax = 3_000

interface Announcement {
  readonly pids: Readonly<Record<string, number[]>>
}

export class OwnServer {
  readonly kind: OwnServerKind
  /** Of Kafka; 1 of anything else. */
  readonly brokers: number
  readonly #folder: string
  #port = 0
  #child: ChildProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #pids: number[] = []
  #address = ''
  #state: 'new' | 'running' | 'down' = 'new'
  #isOver = false

  constructor(kind: OwnServerKind, { folder, brokers = 1 }: { folder: string; brokers?: number }) {
    this.kind = kind
    this.brokers = brokers
    this.#folder = join(folder, kind)
  }

  /** As the services are told. */
  get address(): string {
    return this.#address
  }

  get state(): 'new' | 'running' | 'down' {
    return this.#state
  }

  /** Until it can be used. @throws with what was said when it cannot. */
  async start(): Promise<void> {
    if (this.#isOver) throw new Error(`${this.kind}: the run is over`)
    await mkdir(this.#folder, { recursive: true })
    this.#port ||= await findFreePorts(2 * this.brokers)
    if (this.#isOver) throw new Error(`${this.kind}: the run is over`)
    const options = ['--json', '--only', this.kind, '--data-dir', this.#folder, `--${this.kind}-port`, `${this.#port}`]
    options.push(...(sizes[this.kind] ?? []))
    if (this.brokers > 1) options.push('--kafka-brokers', `${this.brokers}`)
    // A process group of its own, so that Ctrl-C reaches whoever runs the fleet; the channel, so that it ends with us.
    const child = spawn(process.execPath, [script, ...options], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    this.#child = child
    this.#ended = once(child, 'exit').then(([code]) => {
      if (this.#child === child) this.#state = 'down'
      return code
    })
    let said = ''
    if (child.stdout === null || child.stderr === null) throw new Error('BUG: no pipe')
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-shownCharactersMax)
    })
    const answer = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
    const failed = this.#ended.then((code) => {
      throw new Error(`${this.kind}: scripts/servers.mjs ended with ${code}:\n${said}`)
    })
    failed.catch(() => {})
    const [line] = await Promise.race([answer, failed])
    const announced = JSON.parse(line) as Announcement & Record<string, string>
    this.#pids = announced.pids[this.kind] ?? []
    this.#address = Object.values(announced).find((value) => typeof value === 'string') ?? ''
    this.#state = 'running'
  }

  /** kill -9 of the server itself. */
  async kill(): Promise<void> {
    for (const pid of this.#pids) if (this.#state === 'running') process.kill(pid, 'SIGKILL')
    await this.#ended
  }

  /** kill -9 of one of three, counted from 1. */
  killBroker(broker: number): void {
    process.kill(this.#pids[broker - 1] ?? Number.NaN, 'SIGKILL')
  }

  /** Until it is ready. */
  async restartBroker(broker: number): Promise<void> {
    if (this.#child === undefined) throw new Error('BUG: it was never started')
    this.#pids[broker - 1] = await restartBroker(this.#child, broker)
  }

  /** Stopped for good, whatever fault would start it again. */
  async end(): Promise<void> {
    this.#isOver = true
    await this.stop()
  }

  /** As Ctrl-C does it. */
  async stop(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM')
    await this.#ended
  }
}

/** The first of so many that follow each other, all free: Kafka takes one for each broker, then one for each controller. */
async function findFreePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < portAttemptsMax; attempt++) {
    const first = portMin + count * Math.floor((Math.random() * (portMax - portMin)) / count)
    const ports = Array.from({ length: count }, (_, index) => first + index)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first
  }
  throw new Error(`no ${count} free ports in a row between ${portMin} and ${portMax}`)
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
