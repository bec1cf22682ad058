/**
 * Stores closed minutes and how far the partition has come, in one transaction. Postgres is the truth: only after this
 * may the ring learn of a minute or the log forget its records. When the answer to COMMIT was lost, whoever asks again is
 * told that the progress has moved, and starts again from it.
 *
 * How a minute is stored, and merged with what is there of it: store-chunks.ts.
 */
import assert from 'node:assert/strict'
import { inTransaction, type Pool, type PoolClient } from '@minutely/lib/postgres/pool'
import { readRingIdentity, voidRing } from '@minutely/lib/recent-ring/ring-state'
import type { LogPartition } from '@minutely/lib/sample-log/sample-log'
import { minuteMs } from '@minutely/schema/limits'
import type { MinuteRows } from './minute-chunks.ts'
import type { MinutePartitions } from './minute-partitions.ts'
import {
  type Flush,
  type FlushDeps,
  type KnownProgress,
  type ProgressVersion,
  type Stored,
  StoreRewoundError,
} from './minute-store.ts'
import type { ClosedMinute } from './open-minute.ts'
import { lockProgress, saveProgress, touchProgress } from './partition-progress.ts'
import { RingPushBuilder } from './ring-push.ts'
import { rollUp } from './roll-up.ts'
import { hourOf, shareHours } from './sealing/hour-locks.ts'
import type { Span } from './seen-servers.ts'
import type { SeriesDictionary } from './series-dictionary.ts'
import type { SeriesSlots, ServerSlots, SlotEntry } from './series-slots.ts'
import { storeRows } from './store-chunks.ts'

/** Postgres: no partition of the relation found for the row. */
const missingPartitionCode = '23514'
const foreignKeyCode = '23503'

export interface StoreDeps extends FlushDeps {
  readonly pool: Pool
  readonly dictionary: SeriesDictionary
  readonly partitions: MinutePartitions
}

interface PreparedMinute {
  readonly minute: ClosedMinute
  readonly rows: MinuteRows
  readonly tags: Uint32Array
}

/** @throws StoreMovedError when the progress is not the known one. */
export async function storeMinutes(flush: Flush, deps: StoreDeps): Promise<Stored> {
  try {
    return await attemptFlush(flush, deps)
  } catch (error) {
    if ((error as { code?: string }).code !== missingPartitionCode) throw error
    // A sealer or the retention has dropped what we had made: late data makes it again.
    deps.partitions.forget()
    return attemptFlush(flush, deps)
  }
}

async function attemptFlush(flush: Flush, deps: StoreDeps): Promise<Stored> {
  const prepared: PreparedMinute[] = []
  const fresh = new Set<SlotEntry>()
  for (const minute of flush.minutes) {
    await deps.partitions.ensure(minute.minuteMs)
    prepared.push(await prepare(minute, { fresh, owner: ownerOf(flush.partition) }, deps))
  }
  try {
    const spans = unseen(spansOf(flush.minutes, deps.slots), deps)
    const stored = await inTransaction(deps.pool, async (client) => {
      await lockProgress(client, flush)
      const sealedHours = await shareHours(
        client,
        prepared.map(({ rows }) => hourOf(rows.minuteMs)),
      )
      await assertKept(client, [...fresh], deps)
      // Before any row is read or written, so that what the ring learns is not older than the ring (recent-ring.ts).
      const push = new RingPushBuilder(await readRingIdentity(client), flush.closedThroughMs)
      const counts = { rows: 0, mergedRows: 0, lateSamples: 0 }
      const merged = new Set<ClosedMinute>()
      let holdsRing = false
      for (const { minute, rows, tags } of prepared) {
        counts.rows += minute.rowCount
        const maybeSealed = sealedHours.has(hourOf(rows.minuteMs))
        const beforeMerge = async (): Promise<void> => {
          if (!holdsRing) push.identity = await readRingIdentity(client, 'share')
          holdsRing = true
        }
        if (minute.reopened) await beforeMerge()
        const source = { values: minute.values, maybeSealed }
        const { newSeconds, mergedRows, hadStates, stored } = await storeRows(client, rows, source, { beforeMerge })
        counts.mergedRows += mergedRows
        // The ring may have an older state of what was there, and of a minute that was closed before.
        if (minute.reopened || hadStates) merged.add(minute)
        if (merged.has(minute)) push.addMerged({ ...rows, rolled: stored }, tags)
        else push.addCopied(rows, tags)
        if (minute.late) counts.lateSamples += newSeconds
      }
      await touchServers(client, spans, deps)
      const { resumeAt: position, closedThroughMs: completeThroughMs, anchor } = flush
      const reached = { position, completeThroughMs, anchor }
      const version = await saveProgress(client, flush.partition, reached)
      await deps.commitWithin?.(client, flush.partition, flush.resumeAt)
      return { ...counts, merged, version, ring: push.build() }
    })
    noteSeen(spans, deps)
    return stored
  } catch (error) {
    throw await rewound(error, deps.pool)
  }
}

const ownerOf = ({ topic, partition }: LogPartition): string => `${topic} ${partition}`

/** `fresh` gets the entries that have an id only now. */
async function prepare(
  minute: ClosedMinute,
  { fresh, owner }: { readonly fresh: Set<SlotEntry>; readonly owner: string },
  { slots, dictionary }: StoreDeps,
): Promise<PreparedMinute> {
  const entries = Array.from({ length: minute.rowCount }, (_, row) => slots.entry(minute.slots[row] as number))
  for (const entry of entries) if (entry.seriesId === undefined) fresh.add(entry)
  await dictionary.resolve(entries, { firstSeenMs: minute.minuteMs, owner })
  const tenantIds = new Int32Array(minute.rowCount)
  const seriesIds = new Int32Array(minute.rowCount)
  const tags = new Uint32Array(minute.rowCount)
  let [tenant, tenantId] = ['', 0]
  for (const [row, entry] of entries.entries()) {
    // Rows of one tenant mostly follow each other; an await for each would cost more than the rest of this loop.
    if (entry.server.tenantId !== tenant || tenantId === 0) {
      tenant = entry.server.tenantId
      tenantId = await dictionary.tenantId(tenant)
    }
    assert(entry.seriesId !== undefined, 'BUG: a series without an id')
    entry.lastMinuteMs = Math.max(entry.lastMinuteMs, minute.minuteMs)
    seriesIds[row] = entry.seriesId
    tags[row] = entry.tag
    tenantIds[row] = tenantId
  }
  return { minute, rows: { minuteMs: minute.minuteMs, rolled: rollUp(minute), seriesIds, tenantIds }, tags }
}

/**
 * Makes new series and their servers known to readers before their first minute closes. Safe to repeat.
 * @throws StoreMovedError when the progress is not the known one.
 */
export async function announceSeries(
  added: readonly SlotEntry[],
  progress: KnownProgress,
  deps: StoreDeps,
): Promise<ProgressVersion> {
  const spans = new Map<ServerSlots, Span>()
  for (const { server, lastMinuteMs } of added) widen(spans, server, lastMinuteMs)
  try {
    const firstSeenMs = added.reduce((first, { lastMinuteMs }) => Math.min(first, lastMinuteMs), Infinity)
    await deps.dictionary.resolve(added, { firstSeenMs, owner: ownerOf(progress.partition) })
    const news = unseen(spans, deps)
    const version = await inTransaction(deps.pool, async (client) => {
      await lockProgress(client, progress)
      await assertKept(client, added, deps)
      await touchServers(client, news, deps)
      return touchProgress(client, progress)
    })
    noteSeen(news, deps)
    return version
  } catch (error) {
    throw await rewound(error, deps.pool)
  }
}

/** @throws StoreRewoundError when the ids were lost between the statement that gave them out and this transaction. */
async function assertKept(client: PoolClient, added: readonly SlotEntry[], { dictionary }: StoreDeps): Promise<void> {
  if (await dictionary.areKept(client, added)) return
  throw new StoreRewoundError(`the database lost commits: of ${added.length} new series some have lost their ids`)
}

/**
 * An id that the dictionary gave out names nothing: only a database that went back in time does that. The ring then
 * has what the database has not.
 */
async function rewound(error: unknown, pool: Pool): Promise<unknown> {
  const isDangling = (error as { code?: string }).code === foreignKeyCode
  if (!isDangling && !(error instanceof StoreRewoundError)) return error
  await voidRing(pool, 'the database lost commits')
  if (!isDangling) return error
  return new StoreRewoundError(`an id is not known any more: ${(error as Error).message}`, { cause: error })
}

function widen(spans: Map<ServerSlots, Span>, server: ServerSlots, firstMs: number, lastMs = firstMs): void {
  const span = spans.get(server)
  if (span === undefined) spans.set(server, { first: firstMs, last: lastMs })
  else if (firstMs < span.first || lastMs > span.last) {
    spans.set(server, { first: Math.min(span.first, firstMs), last: Math.max(span.last, lastMs) })
  }
}

function spansOf(minutes: readonly ClosedMinute[], slots: SeriesSlots): Map<ServerSlots, Span> {
  const spans = new Map<ServerSlots, Span>()
  for (const minute of minutes) {
    let known: ServerSlots | undefined
    for (let row = 0; row < minute.rowCount; row++) {
      const { server } = slots.entry(minute.slots[row] as number)
      // A server's rows mostly follow each other.
      if (server === known) continue
      known = server
      widen(spans, server, minute.minuteMs, minute.minuteMs + minuteMs)
    }
  }
  return spans
}

function unseen(spans: Map<ServerSlots, Span>, { dictionary }: StoreDeps): Map<ServerSlots, Span> {
  return new Map([...spans].filter(([server, span]) => !dictionary.seen.has(server, span)))
}

function noteSeen(spans: Map<ServerSlots, Span>, { dictionary }: StoreDeps): void {
  for (const [server, span] of spans) dictionary.seen.note(server, span)
}

/**
 * Keeps each server's first and last seen instants. Most flushes have nothing new to say (a server's metrics are spread
 * over many partitions); then its row is neither written nor locked.
 */
export async function touchServers(
  client: PoolClient,
  spans: ReadonlyMap<ServerSlots, Span>,
  deps: Pick<StoreDeps, 'dictionary'>,
): Promise<void> {
  if (spans.size === 0) return
  // Everybody locks in the same order.
  const servers = [...spans].sort(([a], [b]) => compare(a.serverId, b.serverId) || compare(a.tenantId, b.tenantId))
  const tenantIds: number[] = []
  for (const [{ tenantId }] of servers) tenantIds.push(await deps.dictionary.tenantId(tenantId))
  await client.query(
    `insert into server (tenant_id, server_id, first_seen_at, last_seen_at)
     select tenant_id, server_id, to_timestamp(first_ms / 1000.0), to_timestamp(last_ms / 1000.0)
     from unnest($1::integer[], $2::text[], $3::float8[], $4::float8[]) as seen (tenant_id, server_id, first_ms, last_ms)
     where not exists (
       select from server
       where server.tenant_id = seen.tenant_id and server.server_id = seen.server_id
         and first_seen_at <= to_timestamp(first_ms / 1000.0) and last_seen_at >= to_timestamp(last_ms / 1000.0))
     order by tenant_id, server_id
     on conflict (tenant_id, server_id) do update set
       first_seen_at = least(server.first_seen_at, excluded.first_seen_at),
       last_seen_at = greatest(server.last_seen_at, excluded.last_seen_at)`,
    [
      tenantIds,
      servers.map(([{ serverId }]) => serverId),
      servers.map(([, { first }]) => first),
      servers.map(([, { last }]) => last),
    ],
  )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
