/**
 * Rows of the two sealed tiers: `hour_block`, a row a series and hour, and `day_block`, a row a series and day with its hours. Both have the
 * same columns but for the key, hours or days since 1970. Only the one that seals writes them.
 */
import { finished } from 'node:stream/promises'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import copyStreams from 'pg-copy-streams'

export interface TierTable {
  readonly name: 'hour_block' | 'day_block'
  readonly key: 'hour' | 'day'
  /** Of a key. */
  readonly keyHours: number
}

export const hourTable: TierTable = { name: 'hour_block', key: 'hour', keyHours: 1 }
export const dayTable: TierTable = { name: 'day_block', key: 'day', keyHours: 24 }

export interface TierRow {
  readonly seriesId: number
  readonly tenantId: number
  readonly class: number
  readonly block: Buffer
}

export type ReadTierRow = Pick<TierRow, 'class' | 'block'>

const copyHeader = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const copyTrailer = Buffer.from([0xff, 0xff])
/** Fields; series, key and tenant with their lengths; class with its length; the length of the block. */
const tupleHeadBytes = 2 + 3 * 8 + 6 + 4

/** By series id. */
export async function readTierRows(
  client: PoolClient,
  { table, key }: { readonly table: TierTable; readonly key: number },
  seriesIds: readonly number[],
): Promise<Map<number, ReadTierRow>> {
  const { rows } = await client.query<{ series_id: number; class: number; block: Buffer }>(
    `select series_id, class, block from ${table.name} where ${table.key} = $1 and series_id = any ($2::integer[])`,
    [key, seriesIds],
  )
  return new Map(rows.map(({ series_id, class: ofClass, block }) => [series_id, { class: ofClass, block }]))
}

/** `existing`: what readTierRows has found of these series; those stay in the class that they have. */
export async function writeTierRows(
  client: PoolClient,
  { table, key, rows }: { readonly table: TierTable; readonly key: number; readonly rows: readonly TierRow[] },
  existing: ReadonlyMap<number, ReadTierRow>,
): Promise<void> {
  const added = rows.filter(({ seriesId }) => !existing.has(seriesId))
  if (added.length > 0) {
    const stream = client.query(
      copyStreams.from(
        `copy ${table.name} (series_id, ${table.key}, tenant_id, class, block) from stdin (format binary)`,
      ),
    )
    stream.write(copyHeader)
    stream.write(encodeTuples(key, added))
    stream.end(copyTrailer)
    await finished(stream)
  }
  const changed = rows.filter(({ seriesId, block }) => existing.get(seriesId)?.block.equals(block) === false)
  if (changed.length === 0) return
  await client.query(
    `update ${table.name} set block = fresh.block from unnest($2::integer[], $3::bytea[]) as fresh (series_id, block)
     where ${table.name}.series_id = fresh.series_id and ${table.name}.${table.key} = $1`,
    [key, changed.map(({ seriesId }) => seriesId), changed.map(({ block }) => block)],
  )
}

function encodeTuples(key: number, rows: readonly TierRow[]): Buffer {
  const bytes = Buffer.alloc(rows.reduce((sum, { block }) => sum + tupleHeadBytes + block.length, 0))
  let at = 0
  for (const { seriesId, tenantId, class: ofClass, block } of rows) {
    at = bytes.writeInt16BE(5, at)
    for (const value of [seriesId, key, tenantId]) {
      at = bytes.writeInt32BE(4, at)
      at = bytes.writeInt32BE(value, at)
    }
    at = bytes.writeInt32BE(2, at)
    at = bytes.writeInt16BE(ofClass, at)
    at = bytes.writeInt32BE(block.length, at)
    at += block.copy(bytes, at)
  }
  return bytes
}
