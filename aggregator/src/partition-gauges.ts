/** What is shown of one partition while this process owns it; gone when it does not any more, so that no stale value stays. */
import type { LogPartition } from '@minutely/lib/sample-log/sample-log'
import type { AggregatorMetrics } from './metrics.ts'

export interface PartitionState {
  readonly openMinutes: number
  readonly windowBytes: number
  readonly activeSeries: number
  /** Ms since the epoch. */
  readonly completeThroughMs: number
  readonly lagMs: number
}

export class PartitionGauges {
  readonly #metrics: AggregatorMetrics
  readonly #label: { readonly topic: string; readonly partition: string }

  constructor({ topic, partition }: LogPartition, { metrics }: { metrics: AggregatorMetrics }) {
    this.#metrics = metrics
    this.#label = { topic, partition: String(partition) }
  }

  set(state: PartitionState): void {
    const { openMinutes, windowBytes, activeSeries, completeThrough, lagSeconds } = this.#metrics
    openMinutes.set(this.#label, state.openMinutes)
    windowBytes.set(this.#label, state.windowBytes)
    activeSeries.set(this.#label, state.activeSeries)
    completeThrough.set(this.#label, state.completeThroughMs / 1000)
    lagSeconds.set(this.#label, state.lagMs / 1000)
  }

  remove(): void {
    const { openMinutes, windowBytes, activeSeries, completeThrough, lagSeconds } = this.#metrics
    for (const gauge of [openMinutes, windowBytes, activeSeries, completeThrough, lagSeconds]) gauge.remove(this.#label)
  }
}
