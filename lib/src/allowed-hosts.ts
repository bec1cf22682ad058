/**
 * Under which names a server answers: DNS rebinding. A page from evil.example may let its name resolve to 127.0.0.1; to
 * the browser, what listens there is then of the page's own origin, and nothing on loopback asks who one is. But the
 * browser still sends `Host: evil.example`, so names that are not ours are refused. An address in Host is no name that
 * somebody could have made resolve to us, so addresses are answered always.
 *
 *   listens on   MINUTELY_ALLOWED_HOSTS   answers under
 *   loopback     not set                  localhost, addresses
 *   any          set                      localhost, addresses, those listed
 *   elsewhere    not set                  anything: only its operator knows its names
 */
import { isIP, isIPv4 } from 'node:net'
import { z } from 'zod'

/** Names separated by commas, in any case, without ports. */
export const hostNames: z.ZodType<readonly string[], string> = z
  .string()
  .transform((written) => written.split(',').map((name) => name.trim().toLowerCase()))
  .transform((names) => names.filter((name) => name !== ''))
  .refine((names) => names.every(isHostName), 'must be host names separated by commas, without scheme or port')

export class AllowedHosts {
  readonly #names: ReadonlySet<string>
  readonly #isGuarded: boolean

  /** @param address the one it listens on, as the system gives it. */
  constructor(names: readonly string[], { address }: { address: string }) {
    this.#names = new Set(['localhost', ...names])
    this.#isGuarded = names.length > 0 || isLoopback(address)
  }

  /** @param host a Host header; undefined where HTTP/1.0 sent none, which no browser does. */
  allows(host: string | undefined): boolean {
    if (!this.#isGuarded || host === undefined) return true
    const [, inBrackets, bare = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d*)?$/.exec(host) ?? []
    if (inBrackets !== undefined) return isIP(inBrackets) === 6
    return isIPv4(bare) || this.#names.has(bare.toLowerCase().replace(/\.$/, ''))
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}

function isHostName(name: string): boolean {
  return /^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$/.test(name)
}
