/**
 * Seals an hour: its hot minutes become hour blocks, then they are dropped. Three steps, each of which may be the last of a process; whoever
 * comes next begins with the first again.
 *
 *   1 begin    hour locked: state = sealing, dirty = false. From now on flushes merge with hour blocks, and set dirty.
 *   2 pack     slice by slice: read hot minutes, lay them over what blocks there are, write blocks and their hours (write-sealed.ts). No
 *              lock; all hot minutes are there and win, so nobody minds blocks that are half-written or older than they are.
 *   3 finish   hour locked: if not dirty, state = sealed and the hot minutes are dropped.
 *
 * Why nothing is lost: the lock of 1 waits for flushes that do not know yet, so 2 sees all they stored. A flush that stores after 1 has
 * set dirty when 3 has the lock, and 3 leaves everything as it is. So the rows that 3 drops are those that 2 has packed. Blocks
 * are written by the one sealer, on the connection that makes it the only one (seal-transaction.ts), and by imports of history, which hold
 * the hour's lock and leave an hour alone while its state is `sealing` (import-hours.ts).
 *
 * Readers take the row of `hour_seal` for the version of its hour's blocks (query-api/src/sealed-cache.ts): no block may change, or go,
 * unless that row changes before it or with it.
 *
 * Locks: 1 and 3 wait 200 ms at most. Dropping a partition locks the whole table `minute`, so it is the last statement of 3; when readers
 * do not make room in time, it is tried again after a pause that grows, with jitter.
 */
import type { Clock } from '@minutely/lib/clock'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { minutePartitionName } from '../minute-partitions.ts'
import { holdHour, hourMs } from './hour-locks.ts'
import { type HourSlice, readSlice } from './hour-slice.ts'
import { SlicePacker } from './pack-slice.ts'
import { inBriefTransaction, inClientTransaction } from './seal-transaction.ts'
import { hourTable, type ReadTierRow, readTierRows } from './tier-table.ts'
import { ensureTiers, TierWriter, type TierWriterDeps } from './write-sealed.ts'

export interface SealPace {
  readonly sealRowsPerS: number
  readonly sealSliceRowsMax: number
}

export interface SealDeps extends TierWriterDeps {
  /** The one that holds the sealer's lock. */
  readonly client: PoolClient
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly random: () => number
  readonly packer?: SlicePacker
  /** For tests: called between the steps, and between slices. */
  readonly reached?: (point: SealPoint) => Promise<void>
}

export type SealPoint = 'begun' | 'slice' | 'packed' | 'finished'

export type SealOutcome = 'sealed' | 'dirty' | 'busy' | 'stopped'

const nothing = { blocks: 0, bytes: 0, expiredMinutes: 0 }

export interface SealResult {
  readonly outcome: SealOutcome
  readonly blocks: number
  readonly bytes: number
  /** Of series whose hour is past its retention: they are left out, and go with the hot minutes. */
  readonly expiredMinutes: number
}

/** Of a step that a lock keeps from its turn: some minutes in all, then the hour waits for its next turn. */
const attemptsMax = 40
const pauseFirstMs = 250
const pauseMsMax = 10_000

/** `hour`: hours since 1970. @throws SealRefusedError */
export async function sealHour(hour: number, pace: SealPace, deps: SealDeps): Promise<SealResult> {
  const { client, reached = async () => {} } = deps
  const begun = await stubborn(deps, () => begin(hour, deps))
  if (begun === 'busy' || begun === 'stopped') return { outcome: begun, ...nothing }
  await reached('begun')
  const packed = await pack({ hour, isFirst: begun === 'first' }, pace, deps)
  if (packed === undefined) return { outcome: 'stopped', ...nothing }
  await reached('packed')
  const outcome = await stubborn(deps, () => finishSealing(client, hour))
  await reached('finished')
  return { outcome, ...packed }
}

/** @returns 'first' when the hour has no blocks: nobody has begun before. */
function begin(hour: number, deps: SealDeps): Promise<'first' | 'again' | 'busy'> {
  const { client, clock } = deps
  const triedAt = new Date(clock.nowMs())
  return inBriefTransaction(client, async () => {
    await holdHour(client, hour)
    const known = await client.query(
      `update hour_seal set state = 'sealing', dirty = false, tried_at = $2 where hour = $1`,
      [hour, triedAt],
    )
    await ensureTiers(client, hour, deps)
    if (known.rowCount !== 0) return 'again' as const
    await client.query(`insert into hour_seal (hour, state, tried_at, rolled) values ($1, 'sealing', $2, true)`, [
      hour,
      triedAt,
    ])
    return 'first' as const
  })
}

/** @returns undefined when it was told to stop. */
async function pack(
  { hour, isFirst }: { readonly hour: number; readonly isFirst: boolean },
  { sealRowsPerS, sealSliceRowsMax }: SealPace,
  deps: SealDeps,
): Promise<Omit<SealResult, 'outcome'> | undefined> {
  const { client, clock, signal, packer = new SlicePacker(), reached = async () => {} } = deps
  const beganAtMs = clock.nowMs()
  const writer = new TierWriter(deps)
  const total = { ...nothing }
  let [afterChunk, rowCount] = [-1, 0]
  let slice: HourSlice | undefined
  while (slice?.isLast !== true) {
    if (signal.aborted) return undefined
    slice = await readSlice(client, { hour, afterChunk, rowsMax: sealSliceRowsMax })
    const seriesIds = slice.seriesIds()
    const existing = isFirst
      ? new Map<number, ReadTierRow>()
      : await readTierRows(client, { table: hourTable, key: hour }, seriesIds)
    const packed = packer.pack(slice.series(), existing)
    const written = await inClientTransaction(client, () => writer.write(client, { hour, packed, existing }))
    afterChunk = slice.lastChunk ?? afterChunk
    for (const { minuteCount } of packed) rowCount += minuteCount
    total.blocks += written.blocks
    total.bytes += written.bytes
    total.expiredMinutes += written.expiredMinutes
    await reached('slice')
    // Flushes and questions come first: this has an hour's time for an hour.
    const aheadMs = beganAtMs + (rowCount / sealRowsPerS) * 1_000 - clock.nowMs()
    if (aheadMs > 0) await clock.sleep(aheadMs, signal)
  }
  return total
}

/** Of an hour that is packed, or that was sealed and has got nothing since. */
export function finishSealing(client: PoolClient, hour: number): Promise<'sealed' | 'dirty' | 'busy'> {
  return inBriefTransaction(client, async () => {
    await holdHour(client, hour)
    const { rowCount } = await client.query(
      "update hour_seal set state = 'sealed' where hour = $1 and not dirty returning hour",
      [hour],
    )
    if (rowCount === 0) return 'dirty' as const
    await client.query(`drop table if exists ${minutePartitionName(hour * hourMs)}`)
    return 'sealed' as const
  })
}

/** Tries while it is busy. */
async function stubborn<T extends string>(
  { clock, signal, random }: SealDeps,
  work: () => Promise<T | 'busy'>,
): Promise<T | 'busy' | 'stopped'> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (signal.aborted) return 'stopped'
    const outcome = await work()
    if (outcome !== 'busy') return outcome
    await clock.sleep(Math.min(pauseMsMax, pauseFirstMs * 2 ** attempt) * (0.5 + random()), signal)
  }
  return 'busy'
}
