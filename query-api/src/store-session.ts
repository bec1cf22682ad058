/**
 * One question's use of Postgres: a connection of the reader's pool (row-level security shows it one tenant), a deadline,
 * and a way to stop early.
 *
 * When the client goes away, the deadline passes or the service stops, the statement is cancelled (a CancelRequest on a
 * second connection, https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS) and the connection
 * is thrown away: a cancel may arrive late, and must then not hit the next question on the same connection.
 * pg_cancel_backend would not do: the reader's role may not signal the login role that owns the backend.
 *
 * Whatever fails becomes an ApiError the client can act on: query-timeout, store-unavailable or stored-hour-unreadable.
 */
import { connect as connectSocket } from 'node:net'
import type { Clock } from '@minutely/lib/clock'
import { UnreadableHourError } from '@minutely/lib/minute-tiers/tier-merge'
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import type { RingIdentity } from '@minutely/lib/recent-ring/recent-ring'
import { readRingIdentity } from '@minutely/lib/recent-ring/ring-state'
import { ApiError } from '@minutely/schema/error-catalogue'
import { type FoundSeries, findSeries, type SeriesQuestion } from './dictionary.ts'
import type { QueryMetrics } from './metrics.ts'
import { type HourQuery, type MinuteQuery, type MinuteSink, readHourTier, readMinutes } from './minute-copy.ts'
import { readStoredMinutes, type SealedStore, type StoredQuery } from './stored-minutes.ts'

export interface SessionOptions {
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

export interface SessionDeps {
  readonly pool: Pool
  readonly clock: Clock
  readonly metrics: Pick<QueryMetrics, 'unreadableHours'>
  /** Without it sealed hours are read anew each time. */
  readonly sealed?: SealedStore
}

export class StoreSession {
  readonly client: PoolClient
  readonly sealed: SealedStore | undefined

  constructor(client: PoolClient, sealed?: SealedStore) {
    this.client = client
    this.sealed = sealed
  }

  /** The instant up to which every partition has closed and stored its minutes; 0 before any has. */
  async completeThroughMs(): Promise<number> {
    const { rows } = await this.client.query<{ at: Date | null }>({
      name: 'complete-through',
      text: 'select min(complete_through_at) as at from partition_progress',
    })
    const throughMs = rows[0]?.at?.getTime() ?? 0
    if (this.sealed !== undefined) this.sealed.cache.completeThroughMs = throughMs
    return throughMs
  }

  findSeries(question: SeriesQuestion): Promise<FoundSeries> {
    return findSeries(this.client, question)
  }

  /** Which ring may be read. Of a snapshot that is not older than completeThroughMs, where that was asked before. */
  ringIdentity(): Promise<RingIdentity> {
    return readRingIdentity(this.client)
  }

  readMinutes(query: MinuteQuery, sink: MinuteSink): Promise<number> {
    return readMinutes(this.client, query, sink)
  }

  /** The same, with what is sealed from memory where it may be. @throws UnreadableHourError */
  async readStoredMinutes(query: StoredQuery, sink: MinuteSink): Promise<void> {
    if (this.sealed === undefined) await this.readMinutes(query, sink)
    else await readStoredMinutes(query, sink, { client: this.client, sealed: this.sealed })
  }

  /** Whole hours, added up already where they are sealed. @throws UnreadableHourError */
  readHourTier(query: HourQuery, sink: MinuteSink): Promise<number> {
    return readHourTier(this.client, query, sink)
  }
}

export async function inStoreSession<T>(
  work: (session: StoreSession) => Promise<T>,
  options: SessionOptions,
  deps: SessionDeps,
): Promise<T> {
  const { timeoutMs } = options
  const deadline = new AbortController()
  const timeout = new ApiError(
    'query-timeout',
    `The question took longer than ${timeoutMs} ms and was stopped; ask for a shorter range or fewer series ` +
      '(metricId, label), or raise MINUTELY_QUERY_TIMEOUT_MS',
    { retryAfterS: 5 },
  )
  const cancelDeadline = deps.clock.schedule(timeoutMs, () => deadline.abort(timeout))
  const signal = AbortSignal.any([options.signal, deadline.signal])
  let client: PoolClient | undefined
  let released = false
  const stop = (): void => {
    if (client === undefined || released) return
    released = true
    sendCancel(client)
    client.release(true)
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    client = await takeConnection(deps.pool, signal)
    client.on('error', ignoreBreak)
    return await work(new StoreSession(client, deps.sealed))
  } catch (error) {
    const cause = signal.aborted ? signal.reason : error
    if (cause instanceof UnreadableHourError) deps.metrics.unreadableHours.inc()
    const answer = asStoreError(cause, timeout)
    // A connection in doubt is not kept.
    if (client !== undefined && !released && answer.lost) {
      released = true
      client.release(true)
    }
    throw answer.error
  } finally {
    cancelDeadline()
    signal.removeEventListener('abort', stop)
    if (client !== undefined && !released) {
      client.release()
      client.off('error', ignoreBreak)
    }
  }
}

/** A connection that breaks while it is ours also fails the statement; without a listener the event would end the process. */
function ignoreBreak(): void {}

/** A connection, or the signal's reason; one that comes too late goes back to the pool. */
function takeConnection(pool: Pool, signal: AbortSignal): Promise<PoolClient> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason)
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    pool.connect().then(
      (client) => {
        signal.removeEventListener('abort', giveUp)
        if (signal.aborted) client.release()
        else resolve(client)
      },
      (error) => {
        signal.removeEventListener('abort', giveUp)
        reject(error)
      },
    )
  })
}

const cancelRequestCode = 80_877_102

/** Asks the server to stop what the connection is doing. Best effort: statement_timeout is behind it. */
function sendCancel(client: PoolClient): void {
  const { host, port, processID, secretKey } = client as unknown as Record<
    'host' | 'port' | 'processID' | 'secretKey',
    never
  >
  const request = Buffer.alloc(16)
  request.writeInt32BE(16, 0)
  request.writeInt32BE(cancelRequestCode, 4)
  request.writeInt32BE(processID, 8)
  request.writeInt32BE(secretKey, 12)
  const isPath = String(host).startsWith('/')
  const socket = isPath ? connectSocket(`${host}/.s.PGSQL.${port}`) : connectSocket(port, host)
  socket.on('error', () => {})
  socket.setTimeout(5000, () => socket.destroy())
  // The server closes the connection when it has passed the signal on.
  socket.on('connect', () => socket.write(request))
  socket.resume()
}

function unreadableHour(cause: UnreadableHourError): ApiError {
  const { seriesId, hour } = cause
  return new ApiError(
    'stored-hour-unreadable',
    `${cause.message}; ask for a range without that hour, upgrade the query API if a newer release wrote it, or restore it from a backup`,
    { details: { seriesId, hour }, cause },
  )
}

/** SQLSTATE classes of a server that is going down, full, or refusing connections. */
const unavailableStates = /^(08|53|57P0[1-5]|58)/
const unavailableCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** During an upgrade, a query API may be there before the tables it knows. */
const undefinedTable = '42P01'

function asStoreError(cause: unknown, timeout: ApiError): { error: unknown; lost: boolean } {
  if (cause instanceof ApiError) return { error: cause, lost: false }
  if (cause instanceof UnreadableHourError) return { error: unreadableHour(cause), lost: false }
  const { code = '', message = '' } = cause as { code?: string; message?: string }
  // statement_timeout of the connection, should it be the shorter one.
  if (code === '57014') return { error: timeout, lost: false }
  const lost = /Connection terminated|not queryable|Client has encountered a connection error/.test(message)
  if (code === undefinedTable || /role "minutely_\w+" does not exist/.test(message)) {
    const advice = 'an aggregator of this version (or the one process) brings the database up to it when it starts'
    return {
      error: new ApiError('store-unavailable', `The database is of an older version: ${message}; ${advice}`, {
        retryAfterS: 5,
        cause,
      }),
      lost: true,
    }
  }
  const unavailable =
    unavailableStates.test(code) ||
    unavailableCodes.has(code) ||
    /timeout exceeded when trying to connect/.test(message)
  if (!lost && !unavailable) return { error: cause, lost: false }
  return {
    error: new ApiError(
      'store-unavailable',
      `Postgres does not answer: ${message || code}; ask again in a few seconds`,
      {
        retryAfterS: 5,
        cause,
      },
    ),
    lost: true,
  }
}
