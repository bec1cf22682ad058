/** A Kafka broker of our own: started by scripts/servers.mjs, stopped with us. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url))
const heapMb = 1_024

export class BenchBroker {
  readonly address: string
  readonly pid: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, { address, pid }: { address: string; pid: number }) {
    this.#child = child
    this.address = address
    this.pid = pid
  }

  /** `options`: of scripts/servers.mjs. */
  static async start(options: readonly string[] = ['--free-ports', '--temporary']): Promise<BenchBroker> {
    const always = ['--json', '--only', 'kafka', '--kafka-heap-mb', String(heapMb)]
    // The channel, so that it ends with us.
    const child = spawn(process.execPath, [script, ...always, ...options], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      detached: true,
    })
    if (child.stdout === null) throw new Error('BUG: no pipe')
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`scripts/servers.mjs ended with ${code}`)
    })
    ended.catch(() => {})
    const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
    const [json] = await Promise.race([line, ended])
    const { kafkaBootstrap, pids } = JSON.parse(json) as { kafkaBootstrap: string; pids: { kafka: number[] } }
    return new BenchBroker(child, { address: kafkaBootstrap, pid: pids.kafka[0] ?? 0 })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await ended
  }
}
