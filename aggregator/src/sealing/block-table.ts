/**
 * The table `hour_block`: partitions of a day, made when an hour of it is sealed, dropped whole when all of it is older than the
 * retention. Names say the day in UTC: hour_block_20261121.
 */
import { finished } from 'node:stream/promises'
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import copyStreams from 'pg-copy-streams'
import type { PackedSeries } from './pack-slice.ts'

const hoursPerDay = 24
const dayMs = 86_400_000
const copyHeader = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const copyTrailer = Buffer.from([0xff, 0xff])
/** Fields, series, hour and tenant with their lengths, the length of the block. */
const tupleHeadBytes = 2 + 3 * 8 + 4

/** To be called in a brief transaction: it locks the table for whoever reads it. */
export async function ensureBlockDay(client: PoolClient, hour: number): Promise<void> {
  const day = Math.floor(hour / hoursPerDay)
  const [from, to] = [day * hoursPerDay, (day + 1) * hoursPerDay]
  const name = dayName(day)
  const { rows } = await client.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [name])
  if (rows[0]?.exists === true) return
  await client.query(`create table ${name} partition of hour_block for values from (${from}) to (${to})`)
}

/** By series id. */
export async function readBlocks(
  client: PoolClient,
  hour: number,
  seriesIds: readonly number[],
): Promise<Map<number, Buffer>> {
  const { rows } = await client.query<{ series_id: number; block: Buffer }>(
    'select series_id, block from hour_block where hour = $1 and series_id = any ($2::integer[])',
    [hour, seriesIds],
  )
  return new Map(rows.map(({ series_id, block }) => [series_id, block]))
}

/** `existing`: what readBlocks has found of these series. */
export async function writeBlocks(
  client: PoolClient,
  { hour, packed }: { readonly hour: number; readonly packed: readonly PackedSeries[] },
  existing: ReadonlyMap<number, Buffer>,
): Promise<void> {
  await copyBlocks(
    client,
    hour,
    packed.filter(({ seriesId }) => !existing.has(seriesId)),
  )
  const changed = packed.filter(({ seriesId, block }) => existing.get(seriesId)?.equals(block) === false)
  if (changed.length === 0) return
  await client.query(
    `update hour_block set block = fresh.block from unnest($2::integer[], $3::bytea[]) as fresh (series_id, block)
     where hour_block.series_id = fresh.series_id and hour_block.hour = $1`,
    [hour, changed.map(({ seriesId }) => seriesId), changed.map(({ block }) => block)],
  )
}

async function copyBlocks(client: PoolClient, hour: number, packed: readonly PackedSeries[]): Promise<void> {
  if (packed.length === 0) return
  const stream = client.query(
    copyStreams.from('copy hour_block (series_id, hour, tenant_id, block) from stdin (format binary)'),
  )
  stream.write(copyHeader)
  stream.write(encodeTuples(hour, packed))
  stream.end(copyTrailer)
  await finished(stream)
}

function encodeTuples(hour: number, packed: readonly PackedSeries[]): Buffer {
  const size = packed.reduce((sum, { block }) => sum + tupleHeadBytes + block.length, 0)
  const bytes = Buffer.alloc(size)
  let at = 0
  for (const { seriesId, tenantId, block } of packed) {
    at = bytes.writeInt16BE(4, at)
    for (const value of [seriesId, hour, tenantId]) {
      at = bytes.writeInt32BE(4, at)
      at = bytes.writeInt32BE(value, at)
    }
    at = bytes.writeInt32BE(block.length, at)
    at += block.copy(bytes, at)
  }
  return bytes
}

/**
 * Retention. An hour's row of hour_seal goes with its day: as long as there is a block, writers must know of it.
 * @returns names of the days that were dropped because all of them is before this instant.
 */
export async function dropBlocksBefore(pool: Pool, instantMs: number): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
     where inhparent = 'hour_block'::regclass order by relname`,
  )
  const dropped: string[] = []
  for (const { name } of rows) {
    const day = dayOf(name)
    if (day === undefined || (day + 1) * dayMs > instantMs) continue
    await pool.query(`drop table if exists ${name}`)
    dropped.push(name)
  }
  await pool.query('delete from hour_seal where hour < $1', [Math.floor(instantMs / dayMs) * hoursPerDay])
  return dropped
}

function dayName(day: number): string {
  return `hour_block_${new Date(day * dayMs).toISOString().slice(0, 10).replaceAll('-', '')}`
}

function dayOf(name: string): number | undefined {
  const [, year, month, day] = /^hour_block_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
  return year === undefined ? undefined : Date.UTC(Number(year), Number(month) - 1, Number(day)) / dayMs
}
