/**
 * What the database takes of the disk, in one sentence: now, where it settles by the last hours' growth, and whether the disk is full
 * before. Nothing is promised that was not measured: without sealed hours it only says what is there.
 */
import type { StorageAnswer } from '@minutely/schema/query-wire'
import { formatValue } from '../unit.ts'

const dayMs = 86_400_000

export interface DiskText {
  readonly text: string
  /** The disk is full before everything has settled. */
  readonly isTight: boolean
}

export function diskText({ nowMs, storedBytes, settledBytes, settledAtMs, disk }: StorageAnswer): DiskText {
  const stored = `Disk: ${formatValue(storedBytes, 'bytes')}`
  const free = disk === null ? '' : `, ${formatValue(disk.freeBytes, 'bytes')} free`
  const fullAtMs = disk?.fullAtMs ?? null
  if (fullAtMs !== null) {
    return { text: `${stored}${free}; at this rate it is full ${inDays(fullAtMs - nowMs)}.`, isTight: true }
  }
  if (settledBytes === null || settledAtMs === null) return { text: `${stored}${free}.`, isTight: false }
  const settles = `near ${formatValue(settledBytes, 'bytes')} ${inDays(settledAtMs - nowMs)}`
  const isSettled = settledAtMs <= nowMs
  return { text: `${stored}${free}; ${isSettled ? 'it has settled' : `it will settle ${settles}`}.`, isTight: false }
}

function inDays(durationMs: number): string {
  const days = durationMs / dayMs
  if (days < 1) return 'within a day'
  return days < 1.5 ? 'in a day' : `in ${Math.round(days)} days`
}
