/**
 * A door on loopback in front of a server that others use too: closing it makes the server unreachable for those who come
 * through it, and for nobody else. It passes bytes on and looks at none.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class TcpGate {
  readonly #target: URL
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** `target`: a URL with host and port. */
  constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((socket) => this.#pass(socket))
  }

  async open(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** The target's URL as seen through the gate. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${port}`
    return url.href.replace(/\/$/, '')
  }

  /** Refuses what comes and cuts what is open. Closed is closed. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #pass(inner: Socket): void {
    const outer = connect(Number(this.#target.port), this.#target.hostname)
    for (const [from, to] of [[inner, outer] as const, [outer, inner] as const]) {
      this.#sockets.add(from)
      from
        .on('error', () => to.destroy())
        .on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
      from.pipe(to)
    }
  }
}
