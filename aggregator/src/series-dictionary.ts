/**
 * Series and tenants <-> their small integers in Postgres. Rows are made when a series is first stored and never
 * change; the slot keeps its id, so a stored series costs no look-up. New ids follow the order of the slots, so that the series of
 * a server have ids, and therefore rows and blocks, side by side.
 */
import assert from 'node:assert/strict'
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import { identityTag } from '@minutely/lib/recent-ring/recent-ring'
import { seriesIdentity } from '@minutely/schema/series-identity'
import { SeenServers } from './seen-servers.ts'
import type { SlotEntry } from './series-slots.ts'

/** Series named in one statement. */
const seriesPerStatementMax = 5_000
/** No name and no JSON has it (schema/src/limits.ts); an array in pg's notation costs several times as much to write. */
const separator = '\u0001'
/** Rounds until rows that another process inserts at the same time have become visible. */
const roundsMax = 10

export class SeriesDictionary {
  readonly seen = new SeenServers()
  readonly #pool: Pool
  readonly #tenantIds = new Map<string, number>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** The database was restored to an earlier state: the ids may no longer be there, or name something else. */
  forget(): void {
    this.#tenantIds.clear()
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

  /** Gives every entry its seriesId. `firstSeenMs`: the minute in which new ones were first seen. */
  async resolve(entries: readonly SlotEntry[], firstSeenMs: number): Promise<void> {
    const missing = entries.filter(({ seriesId }) => seriesId === undefined)
    for (let start = 0; start < missing.length; start += seriesPerStatementMax) {
      await this.#resolvePart(missing.slice(start, start + seriesPerStatementMax), firstSeenMs)
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

  async #resolvePart(part: readonly SlotEntry[], firstSeenMs: number): Promise<void> {
    let pending = new Map(part.map((entry) => [seriesIdentity(entry.server, entry.series), entry]))
    assert(pending.size === part.length, `BUG: ${part.length - pending.size} series have two slots`)
    for (let round = 0; pending.size > 0; round++) {
      assert(round < roundsMax, `BUG: ${pending.size} series could neither be inserted nor found`)
      const ids = await this.#insertOrFind([...pending], firstSeenMs)
      for (const [identity, seriesId] of ids) {
        const entry = pending.get(identity)
        if (entry === undefined) continue
        entry.seriesId = seriesId
        entry.tag = identityTag(identity)
      }
      pending = new Map([...pending].filter(([identity]) => !ids.has(identity)))
    }
  }

  async #insertOrFind(wanted: readonly [string, SlotEntry][], firstSeenMs: number): Promise<Map<string, number>> {
    const tenantIds: number[] = []
    for (const [, { server }] of wanted) tenantIds.push(await this.tenantId(server.tenantId))
    const { rows } = await this.#pool.query<{ identity: string; series_id: number }>(
      `with wanted as materialized (
         select * from unnest(
             string_to_array($1, e'\\x01')::uuid[], $2::integer[], string_to_array($3, e'\\x01'),
             string_to_array($4, e'\\x01'), string_to_array($5, e'\\x01')::jsonb[])
           with ordinality as wanted (identity, tenant_id, server_id, metric_id, labels, place)
       ), found as materialized (
         select series_id, identity from series join wanted using (identity)
       ), numbered as materialized (
         select *, nextval('series_series_id_seq') as series_id from (
           select * from wanted where not exists (select from found where found.identity = wanted.identity)
           order by place) fresh
       ), added as (
         insert into series (series_id, identity, tenant_id, server_id, metric_id, labels, first_seen_at)
         overriding system value
         select series_id, identity, tenant_id, server_id, metric_id, labels, to_timestamp($6 / 1000.0) from numbered
         -- Everybody inserts in the same order, or two that insert the same would wait for each other.
         order by identity
         on conflict do nothing
         returning series_id, identity
       )
       select * from found union all select * from added`,
      [
        wanted.map(([identity]) => identity).join(separator),
        tenantIds,
        wanted.map(([, { server }]) => server.serverId).join(separator),
        wanted.map(([, { series }]) => series.metricId).join(separator),
        wanted.map(([, { series }]) => JSON.stringify(series.labels)).join(separator),
        firstSeenMs,
      ],
    )
    return new Map(rows.map(({ identity, series_id }) => [identity, series_id]))
  }
}
