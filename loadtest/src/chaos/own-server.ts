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
  readonly pids: Readonly<Record<string, readonly number[]>>
}

export class OwnServer {
  readonly kind: OwnServerKind
  readonly #folder: string
  #port = 0
  #child: ChildProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #pids: readonly number[] = []
  #address = ''
  #state: 'new' | 'running' | 'down' = 'new'
  #isOver = false

  constructor(kind: OwnServerKind, { folder }: { folder: string }) {
    this.kind = kind
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
    this.#port ||= await findFreePorts()
    const options = ['--json', '--only', this.kind, '--data-dir', this.#folder, `--${this.kind}-port`, `${this.#port}`]
    options.push(...(sizes[this.kind] ?? []))
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

/** The first of two that follow each other, both free: Kafka's controller takes the second. */
async function findFreePorts(): Promise<number> {
  for (let attempt = 0; attempt < portAttemptsMax; attempt++) {
    const port = portMin + 2 * Math.floor((Math.random() * (portMax - portMin)) / 2)
    if ((await isFree(port)) && (await isFree(port + 1))) return port
  }
  throw new Error(`no two free ports between ${portMin} and ${portMax}`)
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
