/**
 * A minute of many series, chunk by chunk as the table `minute_block` has them (schema/src/minute-block), and the statements that write
 * them. One statement carries all its blocks as one value, with where each begins: as an array they would be sent as text.
 */
import { UnreadableHourError } from '@minutely/lib/minute-tiers/tier-merge'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import {
  blockProblem,
  chunkOf,
  firstIdOf,
  minuteBlockLayout,
  readRecord,
  recordBytes,
  type StoredMinute,
  slotOf,
  viewOf,
  writeRecord,
} from '@minutely/schema/minute-block/minute-block'
import type { RolledMinute } from './roll-up.ts'
import { hourOf } from './sealing/hour-locks.ts'

export interface MinuteRows {
  readonly minuteMs: number
  readonly rolled: RolledMinute
  /** Of each row; a series once. */
  readonly seriesIds: Int32Array
  readonly tenantIds: Int32Array
}

/** Rows of one chunk and tenant. */
export interface RowChunk {
  readonly chunk: number
  readonly tenantId: number
  /** In the order of their series. */
  readonly rows: readonly number[]
}

/** One row of minute_block. */
export interface ChunkBlock {
  readonly chunk: number
  readonly tenantId: number
  /** Slot of the first record. */
  readonly first: number
  readonly bytes: Buffer
}

/** In the order in which everybody writes and locks them, or two that share chunks would wait for each other. */
export function chunksOf({ seriesIds, tenantIds }: Pick<MinuteRows, 'seriesIds' | 'tenantIds'>): RowChunk[] {
  const order = Array.from(seriesIds.keys())
  if (!isSorted(seriesIds)) order.sort((a, b) => (seriesIds[a] as number) - (seriesIds[b] as number))
  const chunks: { chunk: number; tenantId: number; rows: number[] }[] = []
  let from = 0
  for (const row of order) {
    const [chunk, tenantId] = [chunkOf(seriesIds[row] as number), tenantIds[row] as number]
    if (chunks.at(-1)?.chunk !== chunk) from = chunks.length
    // Among a chunk's tenants, of which there is nearly always one.
    let at = from
    while (at < chunks.length && chunks[at]?.tenantId !== tenantId) at++
    const known = chunks[at]
    if (known === undefined) chunks.push({ chunk, tenantId, rows: [row] })
    else known.rows.push(row)
  }
  return chunks.sort((a, b) => a.chunk - b.chunk || a.tenantId - b.tenantId)
}

function isSorted(ids: Int32Array): boolean {
  for (let row = 1; row < ids.length; row++) if ((ids[row - 1] as number) >= (ids[row] as number)) return false
  return true
}

export function rowMinute({ seenLow, seenHigh, min, max, sum }: RolledMinute, row: number): StoredMinute {
  return {
    low: seenLow[row] as number,
    high: seenHigh[row] as number,
    min: min[row] as number,
    max: max[row] as number,
    sum: sum[row] as number,
  }
}

export function blockOfRows({ chunk, tenantId, rows }: RowChunk, { rolled, seriesIds }: MinuteRows): ChunkBlock {
  const first = slotOf(seriesIds[rows[0] as number] as number)
  const last = slotOf(seriesIds[rows.at(-1) as number] as number)
  const bytes = Buffer.alloc((last - first + 1) * recordBytes)
  const view = viewOf(bytes)
  const { seenLow, seenHigh, min, max, sum } = rolled
  for (const row of rows) {
    const at = (slotOf(seriesIds[row] as number) - first) * recordBytes
    const high = seenHigh[row] as number
    // seen = high << 30 | low, as two halves of an int64: writeRecord without an object a row.
    view.setUint32(at, high >>> 2)
    view.setUint32(at + 4, ((high & 3) << 30) | (seenLow[row] as number))
    view.setFloat64(at + 8, min[row] as number)
    view.setFloat64(at + 16, max[row] as number)
    view.setFloat64(at + 24, sum[row] as number)
  }
  return { chunk, tenantId, first, bytes }
}

/** By slot; at least one. */
export function blockOfMinutes(
  { chunk, tenantId }: Pick<ChunkBlock, 'chunk' | 'tenantId'>,
  minutes: ReadonlyMap<number, StoredMinute>,
): ChunkBlock {
  const [first, last] = [Math.min(...minutes.keys()), Math.max(...minutes.keys())]
  const bytes = Buffer.alloc((last - first + 1) * recordBytes)
  const view = viewOf(bytes)
  for (const [slot, minute] of minutes) writeRecord(view, slot - first, minute)
  return { chunk, tenantId, first, bytes }
}

/** What a block has, by slot. @throws Error when it is none that this release can read. */
export function minutesOfBlock({ first, bytes }: Pick<ChunkBlock, 'first' | 'bytes'>): Map<number, StoredMinute> {
  const problem = blockProblem(first, bytes.length)
  if (problem !== undefined) throw new Error(problem)
  const view = viewOf(bytes)
  const minutes = new Map<number, StoredMinute>()
  for (let index = 0; index < bytes.length / recordBytes; index++) {
    const minute = readRecord(view, index)
    if (minute !== undefined) minutes.set(first + index, minute)
  }
  return minutes
}

export const chunkKey = ({ chunk, tenantId }: Pick<ChunkBlock, 'chunk' | 'tenantId'>): string => `${chunk} ${tenantId}`

/** @returns keys of those that were not there: the others are as they were. */
export async function insertBlocks(
  client: PoolClient,
  minuteMs: number,
  blocks: readonly ChunkBlock[],
): Promise<ReadonlySet<string>> {
  if (blocks.length === 0) return new Set()
  const { rows } = await client.query<{ chunk: number; tenant_id: number }>({
    name: 'insert-minute-blocks',
    text: `insert into minute_block (chunk, minute_at, tenant_id, layout, first, block)
     select chunk, $1::timestamptz, tenant_id, ${minuteBlockLayout}, first, block from ${unnested}
     on conflict do nothing returning chunk, tenant_id`,
    values: valuesOf(minuteMs, blocks),
  })
  return new Set(rows.map(({ chunk, tenant_id: tenantId }) => chunkKey({ chunk, tenantId })))
}

/** Blocks that are locked. */
export async function updateBlocks(client: PoolClient, minuteMs: number, blocks: readonly ChunkBlock[]): Promise<void> {
  if (blocks.length === 0) return
  await client.query({
    name: 'update-minute-blocks',
    text: `update minute_block set layout = ${minuteBlockLayout}, first = fresh.first, block = fresh.block from ${unnested}
     where minute_block.chunk = fresh.chunk and minute_block.tenant_id = fresh.tenant_id and minute_at = $1::timestamptz`,
    values: valuesOf(minuteMs, blocks),
  })
}

/** Those that are there, by key. @throws Error when one cannot be read: nothing may take its place. */
export async function lockBlocks(
  client: PoolClient,
  minuteMs: number,
  chunks: readonly RowChunk[],
): Promise<ReadonlyMap<string, Map<number, StoredMinute>>> {
  const { rows } = await client.query<{
    chunk: number
    tenant_id: number
    layout: number
    first: number
    block: Buffer
  }>(
    `select chunk, tenant_id, layout, first, block from minute_block
     where minute_at = $1 and (chunk, tenant_id) in (select * from unnest($2::integer[], $3::integer[]))
     order by chunk, tenant_id for update`,
    [new Date(minuteMs), chunks.map(({ chunk }) => chunk), chunks.map(({ tenantId }) => tenantId)],
  )
  return new Map(
    rows.map(({ chunk, tenant_id: tenantId, layout, first, block: bytes }) => {
      if (layout !== minuteBlockLayout) throw unreadable(chunk, minuteMs, `layout ${layout} is of a newer release`)
      try {
        return [chunkKey({ chunk, tenantId }), minutesOfBlock({ first, bytes })]
      } catch (error) {
        throw unreadable(chunk, minuteMs, (error as Error).message)
      }
    }),
  )
}

function unreadable(chunk: number, minuteMs: number, problem: string): UnreadableHourError {
  return new UnreadableHourError(firstIdOf(chunk), hourOf(minuteMs), new Error(problem))
}

/** $2: all blocks, one after the other. */
const unnested = `(
  select chunk, tenant_id, first, substring($2::bytea from start + 1 for length) as block
  from unnest($3::integer[], $4::integer[], $5::smallint[], $6::integer[], $7::integer[]) as place (chunk, tenant_id, first, start, length)
) as fresh`

function valuesOf(minuteMs: number, blocks: readonly ChunkBlock[]): unknown[] {
  const starts: number[] = []
  let at = 0
  for (const { bytes } of blocks) {
    starts.push(at)
    at += bytes.length
  }
  return [
    new Date(minuteMs),
    Buffer.concat(
      blocks.map(({ bytes }) => bytes),
      at,
    ),
    blocks.map(({ chunk }) => chunk),
    blocks.map(({ tenantId }) => tenantId),
    blocks.map(({ first }) => first),
    starts,
    blocks.map(({ bytes }) => bytes.length),
  ]
}
