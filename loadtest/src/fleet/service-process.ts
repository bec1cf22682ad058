/**
 * One service as a process of its own: started from its main.ts, waited for, stopped, killed, paused, by its own pid only.
 *
 * Its output goes to a file. It has a process group of its own, so that Ctrl-C in a terminal reaches whoever runs the fleet
 * and not the service behind its back, and an IPC channel, so that it stops by itself when that one is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { costOf } from '../process-cost.ts'

const root = new URL('../../../', import.meta.url)
/** In a banner, and as the message or the url of a JSON line. */
const listeningPattern = /(?:listening on |"url":")(http:\/\/[^\s"]+)/
const readyPollMs = 100
const shownCharactersMax = 3_000

export interface ServiceProcessOptions {
  /** Shown in messages; also the name of its log file. */
  readonly name: string
  /** Below the root of the repository, e.g. `aggregator/src/main.ts`. */
  readonly main: string
  readonly settings: Readonly<Record<string, string>>
  readonly logFile: string
  /** A module that is loaded before main, below the root too. */
  readonly preload?: string
}

export type ServiceState = 'new' | 'running' | 'paused' | 'ended'

export class ServiceProcess {
  readonly name: string
  readonly #options: ServiceProcessOptions
  #child: ChildProcess | undefined
  #ended: Promise<number | null> = Promise.resolve(null)
  #state: ServiceState = 'new'
  #url = ''
  #hasListened = false
  #lastMessageAtMs = 0
  /** Only the beginning and the end of what it wrote are of interest in messages. */
  #output = ''

  constructor(options: ServiceProcessOptions) {
    this.name = options.name
    this.#options = options
  }

  /** Of all its processes, one after the other. */
  get logFile(): string {
    return this.#options.logFile
  }

  /** When a process last sent a message on its IPC channel, ms since the epoch; 0 before. */
  get lastMessageAtMs(): number {
    return this.#lastMessageAtMs
  }

  /** Where it listens, or listened until it ended. */
  get url(): string {
    return this.#url
  }

  get state(): ServiceState {
    return this.#state
  }

  /** Of the present process; before, a signal ends it as it ends any program. */
  get hasListened(): boolean {
    return this.#hasListened
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Resolves when it listens; rejects with what it said when it ends before. May be called again after it ended. */
  async start(): Promise<void> {
    const { name, main, settings, logFile, preload } = this.#options
    const first = preload === undefined ? [] : ['--import', new URL(preload, root).href]
    const child = spawn(process.execPath, [...first, fileURLToPath(new URL(main, root))], {
      env: { ...foreignEnvironment(), MINUTELY_HOST: '127.0.0.1', MINUTELY_PORT: '0', ...settings },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    this.#child = child
    this.#state = 'running'
    this.#hasListened = false
    this.#output = ''
    const file = createWriteStream(logFile, { flags: 'a' })
    const listening = Promise.withResolvers<string>()
    const collect = (chunk: Buffer): void => {
      file.write(chunk)
      this.#output = (this.#output + chunk.toString()).slice(-shownCharactersMax)
      const url = listeningPattern.exec(this.#output)?.[1]
      if (url !== undefined) listening.resolve(url)
    }
    child.on('message', () => {
      this.#lastMessageAtMs = Date.now()
    })
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)
    this.#ended = once(child, 'close').then(([code]) => {
      if (this.#child === child) this.#state = 'ended'
      file.end()
      listening.reject(new Error(`${name} ended with ${code} before it listened (${logFile}):\n${this.#output}`))
      return code as number | null
    })
    this.#url = await listening.promise
    this.#hasListened = true
  }

  /** Of the present process, or the last one: resolves with its exit code, null if a signal ended it. */
  get ended(): Promise<number | null> {
    return this.#ended
  }

  /** A message on its IPC channel. */
  tell(message: object): void {
    if (this.#child?.connected) this.#child.send(message, () => {})
  }

  /** Until /readyz is 200. */
  async awaitReady(deadlineMs: number): Promise<void> {
    const giveUpAtMs = Date.now() + deadlineMs
    let last = 'nothing'
    while (Date.now() < giveUpAtMs) {
      if (this.#state === 'ended') throw new Error(`${this.name} ended before it was ready:\n${this.#output}`)
      const answer = await fetch(`${this.#url}/readyz`).catch((error: Error) => error)
      if (!(answer instanceof Error)) {
        last = await answer.text()
        if (answer.ok) return
      }
      await delay(readyPollMs)
    }
    throw new Error(`${this.name} is not ready after ${deadlineMs} ms: ${last}\n${this.#output}`)
  }

  /** SIGTERM. @returns its exit code (null if a signal ended it) and how long it took. */
  async stop(): Promise<{ exitCode: number | null; tookMs: number }> {
    const startedMs = performance.now()
    if (this.#state === 'paused') this.resume()
    if (this.#state === 'running') this.#child?.kill('SIGTERM')
    const exitCode = await this.#ended
    return { exitCode, tookMs: performance.now() - startedMs }
  }

  /** kill -9, also while it is paused. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
    this.#state = 'paused'
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
    if (this.#state === 'paused') this.#state = 'running'
  }

  /** CPU-seconds so far; undefined where there is no /proc, or the process is gone. */
  cpuS(): number | undefined {
    try {
      return costOf(this.pid).own.cpuS
    } catch {
      return undefined
    }
  }

  /** The last of what it wrote. */
  get lastWords(): string {
    return this.#output
  }
}

/** Without settings meant for another process: one that a service does not know would be an error. */
function foreignEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MINUTELY_')))
}
