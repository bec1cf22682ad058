/** Where PostgreSQL is, for processes that do not bring their own. */
import { z } from 'zod'
import { type ConfigOf, type Settings, text } from '../config.ts'
import type { PostgresConnection } from './pool.ts'

/** As libpq knows them; the modes between `disable` and `verify-full` encrypt without knowing whom they talk to. */
const sslModes = new Set(['disable', 'require', 'verify-full'])

const postgresUrl: z.ZodType<PostgresConnection, string> = text.transform((written, context) => {
  const problem = (message: string): never => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (!URL.canParse(written)) return problem('must be a URL like postgres://user:password@host:5432/database')
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(written)
  if (protocol !== 'postgres:' && protocol !== 'postgresql:') return problem('must start with postgres://')
  const database = decodeURIComponent(pathname.slice(1))
  if (hostname === '' || username === '' || database === '') return problem('must name a host, a user and a database')
  const sslMode = searchParams.get('sslmode') ?? 'disable'
  const others = [...searchParams.keys()].filter((key) => key !== 'sslmode')
  if (others.length > 0) return problem(`has parameters other than sslmode: ${others.join(', ')}`)
  if (!sslModes.has(sslMode)) return problem(`sslmode must be one of ${[...sslModes].join(', ')}`)
  return {
    host: hostname,
    ...(port === '' ? {} : { port: Number(port) }),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database,
    ...(sslMode === 'disable' ? {} : { ssl: { rejectUnauthorized: sslMode === 'verify-full' } }),
  }
})

export const postgresSettings = {
  connection: {
    name: 'POSTGRES_URL',
    shape: postgresUrl,
    default: 'postgres://minutely:minutely@127.0.0.1:5432/minutely',
    secret: true,
    description:
      'PostgreSQL 15 or later: `postgres://user:password@host:port/database`, with `?sslmode=require` or `verify-full` ' +
      'for TLS. MINUTELY_POSTGRES_URL_FILE keeps the password out of the environment',
  },
} satisfies Settings

export type PostgresConfig = ConfigOf<typeof postgresSettings>
