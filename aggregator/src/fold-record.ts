/**
 * One record of the log into the open minutes. Bad bytes are a verdict, not an exception: nothing of ours writes such a
 * thing, so the storage below is damaged or somebody else writes to the log; the record's good sections are folded all
 * the same, and whoever calls sets the record aside as a whole (folding it again later changes nothing).
 */
import type { IngestCounter } from '@minutely/lib/ingest-report/ingest-report'
import type { LogRecord } from '@minutely/lib/sample-log/sample-log'
import { logSections, UnreadablePart } from '@minutely/schema/log-payload'
import { CodecError, type SampleSection } from '@minutely/schema/sample-codec'
import type { AggregatorMetrics } from './metrics.ts'
import type { MinuteWindows } from './minute-window.ts'
import type { SeriesSlots } from './series-slots.ts'

export interface FoldTarget {
  readonly slots: SeriesSlots
  readonly windows: MinuteWindows
  /** Trusted time before this record, ms since the epoch. */
  readonly trustedMs: number
}

export interface Damage {
  /** Immutable and kebab-case: a metric's label, and what a dead letter is listed under. */
  readonly reason: string
  /** For a person. */
  readonly detail: string
}

interface FoldDeps {
  readonly metrics: AggregatorMetrics
  readonly ingest?: IngestCounter | undefined
}

/** @returns what is wrong with the record, if anything. */
export function foldRecord(record: LogRecord, target: FoldTarget, { metrics, ingest }: FoldDeps): Damage | undefined {
  const damage = foldSections(record, target, { metrics, ingest })
  const outcome = damage === undefined ? 'read' : damage.reason === 'damaged-section' ? 'damaged' : 'unreadable'
  metrics.records.inc({ outcome })
  return damage
}

function foldSections(record: LogRecord, target: FoldTarget, deps: FoldDeps): Damage | undefined {
  if (record.unreadable !== undefined) return record.unreadable
  const faults: string[] = []
  try {
    let count = 0
    for (const part of record.sections ?? logSections(record.payload)) {
      count++
      if (part instanceof UnreadablePart) faults.push(part.detail)
      else {
        const fault = foldSection(part, { ...target, position: record.position }, deps)
        if (fault !== undefined) faults.push(`${part.tenantId} ${part.serverId}: ${fault}`)
      }
    }
    if (faults.length === 0) return undefined
    return { reason: 'damaged-section', detail: `${faults.length} of ${count} sections: ${faults[0]}` }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return { reason: 'undecodable', detail: error.message }
  }
}

/** @returns why the section cannot be folded, if it cannot. Its neighbours are still good. */
function foldSection(
  section: SampleSection,
  target: FoldTarget & { readonly position: number },
  { metrics: { samples }, ingest }: FoldDeps,
): string | undefined {
  const { slots, windows, position, trustedMs } = target
  try {
    const counts = windows.fold(section, slots.slotsOf(section), { position, trustedMs })
    samples.inc({ outcome: 'folded' }, counts.folded)
    samples.inc({ outcome: 'duplicate' }, counts.duplicate)
    samples.inc({ outcome: 'conflict' }, counts.conflict)
    if (counts.conflict > 0) ingest?.add('samples', { outcome: 'conflicting' }, counts.conflict)
    return undefined
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return error.message
  }
}
