/**
 * A process of a benchmark that does what it is asked over its channel: both ends. It ends with its parent, and its CPU
 * time and memory are its own to report.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

type Handlers = Readonly<Record<string, (argument: never) => unknown>>

interface Question {
  readonly id: number
  readonly command: string
  readonly argument: unknown
}

type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly problem: string }

/** User and system time since `before`, s. */
export function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

/** In the process: answers what is asked until the parent has gone. */
export function serve(handlers: Handlers): void {
  process.on('message', async ({ id, command, argument }: Question) => {
    try {
      const handler = handlers[command] as ((argument: unknown) => unknown) | undefined
      if (handler === undefined) throw new Error(`BUG: nobody answers ${command}`)
      process.send?.({ id, value: await handler(argument) })
    } catch (error) {
      process.send?.({ id, problem: (error as Error).stack ?? String(error) })
    }
  })
  // Ends at once, but by exit, so that a profile is written.
  process.on('disconnect', () => process.exit(0))
}

export class BenchProcess {
  readonly #child: ChildProcess
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #name: string
  #lastId = 0

  /** `argument`: what the script finds as JSON in its first argument. */
  constructor(script: string, argument: object, { profile }: { profile: string | undefined }) {
    this.#name = script
    this.#child = fork(fileURLToPath(new URL(script, import.meta.url)), [JSON.stringify(argument)], {
      execArgv: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', (answer: Answer) => this.#settle(answer))
    this.#child.on('exit', () => {
      for (const { reject } of this.#answers.values()) reject(new Error(`${this.#name} has ended`))
    })
  }

  ask<T>(command: string, argument: unknown = undefined): Promise<T> {
    const answer = Promise.withResolvers<unknown>()
    const question: Question = { id: ++this.#lastId, command, argument }
    this.#answers.set(question.id, answer)
    this.#child.send(question)
    return answer.promise as Promise<T>
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended()
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#ended()
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }

  #settle(answer: Answer): void {
    const waiting = this.#answers.get(answer.id)
    this.#answers.delete(answer.id)
    if ('problem' in answer) waiting?.reject(new Error(`${this.#name}: ${answer.problem}`))
    else waiting?.resolve(answer.value)
  }
}
