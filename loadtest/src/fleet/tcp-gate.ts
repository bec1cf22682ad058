/**
 * A door on loopback in front of a server, for those who come through it and for nobody else: it can be closed for good, shut
 * for a while, or cut a connection at the worst moment:
 *
 *   client ──> gate ──> server      before: what was asked is on its way and does not arrive (or the first half of it)
 *   client <── gate <── server      after: it was done, and the answer is lost
 *
 * Otherwise it passes bytes on as they are.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Transform, type TransformCallback } from 'node:stream'

/** Connections to be cut at the next bytes towards the server that have the pattern in them; any bytes without one. */
export interface Cut {
  readonly when: 'before' | 'half' | 'after'
  readonly pattern?: string
  readonly times: number
}

export class TcpGate {
  readonly #target: () => string
  readonly #shape: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #passing = new Set<() => void>()
  #isShut = false
  #cut: Cut = { when: 'before', times: 0 }
  #cutsMade = 0

  /** `target`: a URL with host and port; a function when it may change. */
  constructor(target: string | (() => string)) {
    this.#target = typeof target === 'string' ? () => target : target
    this.#shape = typeof target === 'string' ? target : 'http://127.0.0.1'
    this.#server = createServer((socket) => this.#pass(socket))
  }

  async open(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** The target's URL as seen through the gate. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    const url = new URL(this.#shape)
    url.host = `127.0.0.1:${port}`
    return url.href.replace(/\/$/, '')
  }

  /** Connections that were cut as `cutNext` asked. */
  get cutsMade(): number {
    return this.#cutsMade
  }

  /** Refuses what comes and cuts what is open. Closed is closed. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Cuts what is open, and what comes, until it is opened again. */
  shut(): void {
    this.#isShut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  reopen(): void {
    this.#isShut = false
  }

  /** Takes the place of what was asked before; `times: 0` takes it back. */
  cutNext(cut: Cut): void {
    this.#cut = cut
  }

  /** Resolves when the next bytes towards the server have been passed on, or the signal aborts. */
  awaitTraffic(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#passing.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#passing.add(done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }

  #pass(inner: Socket): void {
    if (this.#isShut || !URL.canParse(this.#target())) return void inner.destroy()
    const target = new URL(this.#target())
    const outer = connect(Number(target.port), target.hostname)
    const end = (): void => {
      inner.destroy()
      outer.destroy()
    }
    for (const socket of [inner, outer]) {
      this.#sockets.add(socket)
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    let isAnswerLost = false
    const forth = passing((chunk) => {
      const cut = this.#takeCut(chunk)
      if (cut?.when === 'after') isAnswerLost = true
      else if (cut !== undefined) {
        setImmediate(end)
        return cut.when === 'half' ? chunk.subarray(0, chunk.length / 2) : undefined
      }
      for (const passed of this.#passing) setImmediate(passed)
      return chunk
    })
    const back = passing((chunk) => {
      if (!isAnswerLost) return chunk
      setImmediate(end)
      return undefined
    })
    inner.pipe(forth).pipe(outer)
    outer.pipe(back).pipe(inner)
  }

  #takeCut(chunk: Buffer): Cut | undefined {
    const cut = this.#cut
    if (cut.times <= 0 || (cut.pattern !== undefined && !chunk.includes(cut.pattern))) return undefined
    this.#cut = { ...cut, times: cut.times - 1 }
    this.#cutsMade++
    return cut
  }
}

/** Passes on what `see` makes of each piece. */
function passing(see: (chunk: Buffer) => Buffer | undefined): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      done(null, see(chunk))
    },
  })
}
