/**
 * The answers a server has not finished, so that it can stop without cutting them off:
 *
 *   stop ─ no new connections ─ live streams are told to end ─ drain: open answers finish, each connection with
 *          its last one ─ what is still open after the drain's time is cut
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from './clock.ts'

export class OpenAnswers {
  readonly #open = new Map<ServerResponse, Socket>()
  #drained: (() => void) | undefined

  begin(answer: ServerResponse, socket: Socket): void {
    this.#open.set(answer, socket)
    answer.once('close', () => {
      this.#open.delete(answer)
      if (this.#drained === undefined) return
      // Kept alive, it would keep the server from closing.
      socket.destroySoon()
      if (this.#open.size === 0) this.#drained()
    })
  }

  /** Whether bytes of an answer are on this socket already: others would end up in the middle of it. */
  hasBegunOn(socket: Socket): boolean {
    for (const [answer, itsSocket] of this.#open) {
      if (itsSocket === socket && answer.headersSent) return true
    }
    return false
  }

  /** Resolves when no answer is open, or after timeoutMs. */
  async drain(timeoutMs: number, clock: Clock): Promise<void> {
    const abort = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    if (this.#open.size > 0) await Promise.race([promise, clock.sleep(timeoutMs, abort.signal)])
    abort.abort()
  }
}
