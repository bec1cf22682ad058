/** A server that is asked over one connection that stays open, and what its processes cost. Loopback only. */
import { Agent, request } from 'node:http'
import { costOf } from '../process-cost.ts'

export interface Answer {
  readonly status: number
  readonly body: Buffer
  /** From the request to the last byte, ms. */
  readonly tookMs: number
}

export class AskedServer {
  readonly name: string
  readonly #url: string
  readonly #pid: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(name: string, server: { readonly url: string; readonly pid: number }) {
    this.name = name
    this.#url = server.url
    this.#pid = server.pid
  }

  ask(path: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const startedMs = performance.now()
    const outgoing = request(this.#url + path, { agent: this.#agent }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const tookMs = performance.now() - startedMs
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks), tookMs })
      })
    })
    outgoing.on('error', reject).end()
    return promise
  }

  /** Of all its processes, s. */
  cpuS(): number {
    const { own, descendants } = costOf(this.#pid)
    return own.cpuS + descendants.cpuS
  }

  residentBytes(): number {
    const { own, descendants } = costOf(this.#pid)
    return own.residentBytes + descendants.residentBytes
  }

  close(): void {
    this.#agent.destroy()
  }
}
