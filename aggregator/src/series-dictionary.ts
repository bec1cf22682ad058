/**
 * Series and tenants <-> their small integers in Postgres. Rows are made when a series is first stored and never
 * change; the slot keeps its id, so a stored series costs no look-up. New ids follow the order of the slots, so that the series of
 * a server have ids, and therefore blocks, side by side; and a chunk of ids (series-ids.ts) belongs to one partition of the log, which
 * writes its minutes without meeting another.
 */
import assert from 'node:assert/strict'
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import { identityTag } from '@minutely/lib/recent-ring/recent-ring'
import { seriesIdentity } from '@minutely/schema/series-identity'
import { SeenServers } from './seen-servers.ts'
import { SeriesIds } from './series-ids.ts'
import type { SlotEntry } from './series-slots.ts'

/** Series named in one statement. */
const seriesPerStatementMax = 5_000
/** No name and no JSON has it (schema/src/limits.ts); an array in pg's notation costs several times as much to write. */
const separator = '\u0001'
/** Rounds until rows that another process inserts at the same time have become visible. */
const roundsMax = 10

export interface NewSeries {
  /** The minute in which they were first seen. */
  readonly firstSeenMs: number
  /** The partition whose minutes they will be in; undefined where that is not known: then each server's have chunks of their own. */
  readonly owner: string | undefined
}

export class SeriesDictionary {
  readonly seen = new SeenServers()
  readonly #pool: Pool
  readonly #tenantIds = new Map<string, number>()
  readonly #ids: SeriesIds

  constructor(pool: Pool) {
    this.#pool = pool
    this.#ids = new SeriesIds(pool)
  }

  /** The database was restored to an earlier state: the ids may no longer be there, or name something else. */
  forget(): void {
    this.#tenantIds.clear()
    this.#ids.forget()
    this.seen.forget()
  }

  /** @returns the tenant's id; known tenants cost nothing. */
  async tenantId(name: string): Promise<number> {
    const known = this.#tenantIds.get(name)
    if (known !== undefined) return known
    await this.#pool.query('insert into tenant (name) values ($1) on conflict do nothing', [name])
    const { rows } = await this.#pool.query<{ tenant_id: number }>('select tenant_id from tenant where name = $1', [
      name,
    ])
    const id = rows[0]?.tenant_id
    assert(id !== undefined, `BUG: tenant ${name} vanished`)
    this.#tenantIds.set(name, id)
    return id
  }

  /** Gives every entry its seriesId. */
  async resolve(entries: readonly SlotEntry[], news: NewSeries): Promise<void> {
    const missing = entries.filter(({ seriesId }) => seriesId === undefined)
    for (let start = 0; start < missing.length; start += seriesPerStatementMax) {
      await this.#resolvePart(missing.slice(start, start + seriesPerStatementMax), news)
    }
  }

  /**
   * Whether the store still has the entries' ids for them. To be asked within a transaction that has locked a partition's
   * progress and moves it on: a database that is set back between resolve() and that commit would lose the ids in silence and give
   * them to other series; one that is set back later loses the commit too, which shows.
   */
  async areKept(client: PoolClient, entries: readonly SlotEntry[]): Promise<boolean> {
    for (let start = 0; start < entries.length; start += seriesPerStatementMax) {
      const part = entries.slice(start, start + seriesPerStatementMax)
      const { rows } = await client.query<{ kept: number }>(
        `select count(*)::integer as kept from unnest($1::integer[], $2::uuid[]) as known (series_id, identity)
         join series using (series_id, identity)`,
        [part.map(({ seriesId }) => seriesId), part.map(({ server, series }) => seriesIdentity(server, series))],
      )
      if (rows[0]?.kept !== part.length) return false
    }
    return true
  }

  async #resolvePart(part: readonly SlotEntry[], news: NewSeries): Promise<void> {
    let pending = new Map(part.map((entry) => [seriesIdentity(entry.server, entry.series), entry]))
    assert(pending.size === part.length, `BUG: ${part.length - pending.size} series have two slots`)
    const settle = (rows: readonly FoundSeries[]): void => {
      const ids = new Map(rows.map(({ identity, series_id }) => [identity, series_id]))
      for (const [identity, seriesId] of ids) {
        const entry = pending.get(identity)
        if (entry === undefined) continue
        entry.seriesId = seriesId
        entry.tag = identityTag(identity)
      }
      pending = new Map([...pending].filter(([identity]) => !ids.has(identity)))
    }
    for (let round = 0; pending.size > 0; round++) {
      assert(round < roundsMax, `BUG: ${pending.size} series could neither be inserted nor found`)
      // Ids that were given out twice, by a database that went back in time, are not tried again.
      if (round > 0) this.#ids.forget()
      settle(await this.#find([...pending.keys()]))
      if (pending.size > 0) settle(await this.#insert([...pending], news))
    }
  }

  async #find(identities: readonly string[]): Promise<FoundSeries[]> {
    const { rows } = await this.#pool.query<FoundSeries>(
      `select series_id, identity from series
       join unnest(string_to_array($1, e'\\x01')::uuid[]) as wanted (identity) using (identity)`,
      [identities.join(separator)],
    )
    return rows
  }

  async #insert(wanted: readonly [string, SlotEntry][], { firstSeenMs, owner }: NewSeries): Promise<FoundSeries[]> {
    const tenantIds: number[] = []
    for (const [, { server }] of wanted) tenantIds.push(await this.tenantId(server.tenantId))
    const ownerOf = ({ serverId }: SlotEntry['server']): string => (owner === undefined ? `server ${serverId}` : owner)
    const ids = await this.#ids.take(wanted.map(([, { server }], at) => `${tenantIds[at]} ${ownerOf(server)}`))
    if (owner === undefined) this.#ids.forget()
    const { rows } = await this.#pool.query<FoundSeries>(
      `insert into series (series_id, identity, tenant_id, server_id, metric_id, labels, first_seen_at)
       overriding system value
       select series_id, identity, tenant_id, server_id, metric_id, labels, to_timestamp($6 / 1000.0) from unnest(
           string_to_array($1, e'\\x01')::uuid[], $2::integer[], string_to_array($3, e'\\x01'),
           string_to_array($4, e'\\x01'), string_to_array($5, e'\\x01')::jsonb[], $7::integer[])
         as wanted (identity, tenant_id, server_id, metric_id, labels, series_id)
       -- Everybody inserts in the same order, or two that insert the same would wait for each other.
       order by identity
       on conflict do nothing
       returning series_id, identity`,
      [
        wanted.map(([identity]) => identity).join(separator),
        tenantIds,
        wanted.map(([, { server }]) => server.serverId).join(separator),
        wanted.map(([, { series }]) => series.metricId).join(separator),
        wanted.map(([, { series }]) => JSON.stringify(series.labels)).join(separator),
        firstSeenMs,
        ids,
      ],
    )
    return rows
  }
}

interface FoundSeries {
  readonly identity: string
  readonly series_id: number
}
