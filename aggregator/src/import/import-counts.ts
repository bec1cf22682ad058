/**
 * What became of every point and line of a file, each counted once:
 *
 *   read = added + known + duplicate + conflict + refused (by reason)
 *
 * Counts are plain JSON, since they are kept in the ledger (import-ledger.ts). The first few refusals are kept as examples.
 */
const examplesMax = 10
const exampleLengthMax = 300

/** Why a point, or a whole line, was left out. The words are fixed. */
export type RefusalReason =
  | 'line-unreadable'
  | 'line-too-long'
  | 'server-id-invalid'
  | 'metric-id-invalid'
  | 'labels-invalid'
  | 'value-not-a-number'
  | 'value-not-finite'
  | 'value-too-large'
  | 'time-invalid'
  | 'time-in-future'
  | 'time-too-old'
  /** The hour tier has their hour, of which retention has dropped the minutes: a part of them would not be the hour. */
  | 'minutes-dropped'

export interface Refusal {
  readonly reason: RefusalReason
  readonly detail: string
}

export interface ImportTotals {
  lines: number
  /** Points that were read, in whatever state; a line that cannot be read counts as one. */
  read: number
  /** Seconds that were new to the store. */
  added: number
  /** Seconds that the store had already; whether with the same value it cannot say. */
  known: number
  /** The same second of a series again within the file, with the same value. */
  duplicate: number
  /** With another value: the first one in the file counts. */
  conflict: number
  refused: Partial<Record<RefusalReason, number>>
  examples: string[]
}

export function createTotals(): ImportTotals {
  return { lines: 0, read: 0, added: 0, known: 0, duplicate: 0, conflict: 0, refused: {}, examples: [] }
}

export function addTotals(into: ImportTotals, more: ImportTotals): void {
  into.lines += more.lines
  into.read += more.read
  into.added += more.added
  into.known += more.known
  into.duplicate += more.duplicate
  into.conflict += more.conflict
  for (const [reason, count] of Object.entries(more.refused) as [RefusalReason, number][]) {
    into.refused[reason] = (into.refused[reason] ?? 0) + count
  }
  into.examples.push(...more.examples.slice(0, examplesMax - into.examples.length))
}

/** `where`: the place in the file. */
export function refuse(
  totals: ImportTotals,
  { reason, detail }: Refusal,
  about: { count: number; where: string },
): void {
  if (about.count === 0) return
  totals.read += about.count
  totals.refused[reason] = (totals.refused[reason] ?? 0) + about.count
  if (totals.examples.length < examplesMax) {
    totals.examples.push(`${about.where}: ${reason}: ${detail}`.slice(0, exampleLengthMax))
  }
}

export function refusedCount({ refused }: ImportTotals): number {
  return Object.values(refused).reduce((sum, count) => sum + count, 0)
}
