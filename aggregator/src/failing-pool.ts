/**
 * For tests: a pool whose clients break at chosen statements, once each, in the given order. `before`: the statement is
 * not sent. `after`: it was done and the answer is lost. Either way the connection is closed, as a broken one is.
 */
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'

export interface Break {
  /** How the statement begins, in lower case. */
  readonly statement: string
  readonly when: 'before' | 'after'
}

export function failingPool(pool: Pool, breaks: Break[], onBreak: () => void = () => {}): Pool {
  return new Proxy(pool, {
    get(target, key) {
      if (key === 'connect') return async () => failingClient(await target.connect(), breaks, onBreak)
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function failingClient(client: PoolClient, breaks: Break[], onBreak: () => void): PoolClient {
  let broken = false
  const fail = (): never => {
    broken = true
    breaks.shift()
    onBreak()
    throw new Error('the connection broke')
  }
  const query = async (...args: unknown[]): Promise<unknown> => {
    if (broken) throw new Error('the connection is broken')
    const next = dueAt(args[0], breaks)
    if (next?.when === 'before') return fail()
    const result = await (client.query as (...args: unknown[]) => Promise<unknown>)(...args)
    return next === undefined ? result : fail()
  }
  return new Proxy(client, {
    get(target, key) {
      if (key === 'query') {
        // COPY hands a stream in and wants it back at once.
        return (...args: unknown[]) => {
          if (!isStream(args[0])) return query(...args)
          if (dueAt(args[0], breaks)?.when === 'before') return fail()
          return (target.query as (...args: unknown[]) => unknown)(...args)
        }
      }
      // A broken connection leaves the pool; what it had not committed is rolled back.
      if (key === 'release') return (error?: Error | boolean) => target.release(broken || error)
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function dueAt(statement: unknown, [next]: Break[]): Break | undefined {
  return next !== undefined && textOf(statement).startsWith(next.statement) ? next : undefined
}

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement
  return String((statement as { text?: string } | undefined)?.text ?? '')
}

function isStream(statement: unknown): boolean {
  return typeof statement === 'object' && statement !== null && 'pipe' in statement
}
