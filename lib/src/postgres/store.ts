/**
 * The store as a service of a process of its own: its pool, and whether it can be used, for readiness. A process that
 * writes brings it to the newest schema before it goes on (migrate.ts); one that only reads waits for nobody and says
 * that it is not ready until the tables are there.
 */
import type { Clock } from '../clock.ts'
import type { ReadinessCheck } from '../http-server.ts'
import type { Service } from '../lifecycle.ts'
import type { Logger } from '../logging.ts'
import { migrate } from './migrate.ts'
import type { Pool } from './pool.ts'

const probeEveryMs = 5_000
/** While it cannot be used. */
const retryEveryMs = 500
/** SQLSTATE classes of a server that cannot be reached yet, or is starting; anything else is for a person to mend. */
const comingStates = /^(08|57P)/
const comingCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAI_AGAIN'])

export interface StoreDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly migrates: boolean
}

export interface Store extends Service {
  readonly readiness: ReadinessCheck
}

export function createStore(pool: Pool, { clock, log, migrates }: StoreDeps): Store {
  const stopping = new AbortController()
  let problem: string | null = 'store: has not been asked yet'
  let probing: Promise<void> = Promise.resolve()

  const note = (found: string | null): void => {
    if (found !== problem) log[found === null ? 'info' : 'warn'](found ?? 'the store answers')
    problem = found
  }
  const notMigrated = 'store: has no tables yet; an aggregator makes them when it starts'
  const probe = async (): Promise<string | null> => {
    try {
      const { rows } = await pool.query<{ there: boolean }>(`select to_regclass('ring_state') is not null as there`)
      return rows[0]?.there === true ? null : notMigrated
    } catch (error) {
      // The role of readers comes with the tables.
      if (/role "minutely_query" does not exist/.test(wordsOf(error))) return notMigrated
      return `store: Postgres does not answer: ${wordsOf(error)}`
    }
  }
  const keepProbing = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      note(await probe())
      await clock.sleep(problem === null ? probeEveryMs : retryEveryMs, stopping.signal)
    }
  }
  /** Waits for a server that is on its way. @throws what a person has to mend. */
  const migrated = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        const applied = await migrate(pool)
        if (applied.length > 0) log.info({ applied }, `brought the database to ${applied.at(-1)}`)
        return
      } catch (error) {
        if (!isComing(error)) throw error
        note(`store: Postgres does not answer: ${wordsOf(error)}`)
        await clock.sleep(retryEveryMs, stopping.signal)
      }
    }
  }
  return {
    name: 'store',
    readiness: () => problem,
    async start() {
      if (migrates) await migrated()
      probing = keepProbing()
    },
    async stop() {
      stopping.abort()
      await probing
      await pool.end()
    },
  }
}

function isComing(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return comingCodes.has(code) || comingStates.test(code) || /timeout exceeded|Connection terminated/.test(message)
}

/** Of an AggregateError (a name with several addresses) the message is empty. */
function wordsOf(error: unknown): string {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return message || code
}
