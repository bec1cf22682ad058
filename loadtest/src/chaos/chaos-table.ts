/** What a person sees while a fleet is being broken: a few lines, drawn over each other in a terminal. Pure. */
import type { LedgerTotals } from '../fleet/delivery-ledger.ts'
import { clockTime } from '../fleet/progress-lines.ts'
import type { ChaosPart } from './chaos-world.ts'
import { deeds, type Tally } from './tally.ts'

/** `breaking` is the time of the load that was asked for. */
export type ChaosPhase =
  | 'starting'
  | 'waiting for the first batch'
  | 'breaking'
  | 'recovering'
  | 'delivering'
  | 'comparing'
  | 'compared'

export interface ChaosState {
  readonly phase: ChaosPhase
  readonly nowMs: number
  readonly startedMs: number
  readonly endsMs: number
  readonly parts: readonly ChaosPart[]
  readonly tally: Tally
  readonly totals: LedgerTotals
  readonly samplesPerBatch: number
  readonly completeThroughMs: number
  readonly problemCount: number
}

export function chaosTable(state: ChaosState): string[] {
  const { phase, nowMs, startedMs, endsMs, parts, tally, totals, samplesPerBatch, completeThroughMs, problemCount } =
    state
  const time = phase === 'breaking' ? `${spanOf(nowMs - startedMs)} of ${spanOf(endsMs - startedMs)}` : phase
  const down = parts.filter(({ isUp }) => !isUp)
  const closed = completeThroughMs === 0 ? 'no minute yet' : clockTime(completeThroughMs)
  const done = deeds.flatMap((deed) => (tally.of(deed) > 0 ? [`${wordsOf(deed)} ${tally.of(deed)}`] : []))
  return [
    `time      ${time}, complete through ${closed}`,
    `up        ${parts.length - down.length} of ${parts.length}${down.length === 0 ? '' : `; down: ${namesOf(down)}`}`,
    `faults    ${tally.faultCount}${done.length === 0 ? '' : `: ${done.join(', ')}`}`,
    `samples   ${count(totals.acknowledged * samplesPerBatch)} acknowledged, ${totals.unknown} batches on their way` +
      `${totals.refused === 0 ? '' : `, ${totals.refused} REFUSED`}`,
    `refusals  ${totals.troubledSeconds} s in which a collector refused or did not answer, ` +
      `${totals.unavailableSeconds} s in which none took anything`,
    `problems  ${problemCount}`,
  ]
}

/** `failedStarts` is `failed starts`. */
export function wordsOf(deed: string): string {
  return deed.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

export function count(number: number): string {
  return number.toLocaleString('en')
}

export function spanOf(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1_000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

function namesOf(parts: readonly ChaosPart[]): string {
  return parts.map(({ name }) => name).join(', ')
}
