/** A Kafka of our own, of one broker or three: started by scripts/servers.mjs, stopped with us. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { restartBroker } from '../fleet/restart-broker.ts'

const script = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url))
const heapMb = 1_024
const threeOptions = ['--free-ports', '--temporary', '--kafka-brokers', '3', '--kafka-heap-mb', '256']

export class BenchBroker {
  readonly address: string
  readonly #pids: number[]
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, { address, pids }: { address: string; pids: number[] }) {
    this.#child = child
    this.address = address
    this.#pids = pids
  }

  /** Of the first broker. */
  get pid(): number {
    return this.#pids[0] ?? 0
  }

  get brokerCount(): number {
    return this.#pids.length
  }

  static startThree(options: readonly string[] = []): Promise<BenchBroker> {
    return BenchBroker.start([...threeOptions, ...options])
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
    return new BenchBroker(child, { address: kafkaBootstrap, pids: pids.kafka })
  }

  /** kill -9 of one of three, counted from 1. */
  kill(broker: number): void {
    process.kill(this.#pids[broker - 1] ?? Number.NaN, 'SIGKILL')
  }

  /** Until it is ready. */
  async restart(broker: number): Promise<void> {
    this.#pids[broker - 1] = await restartBroker(this.#child, broker)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await ended
  }
}
