/** What the sending process (sender.ts) is asked, and what it answers. */
import type { FleetTime } from './send-plan.ts'

/** Ours, or what Prometheus and VictoriaMetrics take. */
export type WireFormat = 'avro' | 'remote-write'

export interface SendOrder {
  /** Of the door itself, path included. */
  readonly url: string
  readonly format: WireFormat
  readonly time: FleetTime
  /** Batches, half-open; their bodies are prepared. */
  readonly fromIndex: number
  readonly toIndex: number
}

export interface SendFigures {
  readonly wallS: number
  readonly acceptedCount: number
  /** Answers by status; 0: none. */
  readonly refused: Readonly<Record<string, number>>
  readonly p50Ms: number
  readonly p99Ms: number
  /** How late a batch left at most, real time. */
  readonly behindMsMax: number
}

/** Percentiles since the last question. */
export interface SendStatus {
  /** Of the order under way, or the last one. */
  readonly fromIndex: number
  readonly sentCount: number
  readonly acceptedCount: number
  readonly behindMs: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** `sorted`: ascending. 0 of nothing. */
export function percentile(sorted: ArrayLike<number>, quantile: number): number {
  return sorted[Math.ceil(quantile * sorted.length) - 1] ?? sorted[0] ?? 0
}
