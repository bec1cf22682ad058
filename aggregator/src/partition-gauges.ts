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
  #shown: Partial<PartitionState> = {}

  constructor({ topic, partition }: LogPartition, { metrics }: { metrics: AggregatorMetrics }) {
    this.#metrics = metrics
    this.#label = { topic, partition: String(partition) }
  }

  set(state: PartitionState): void {
    const { openMinutes, windowBytes, activeSeries, completeThrough, lagSeconds } = this.#metrics
    const show = (gauge: typeof openMinutes, name: keyof PartitionState, unit = 1): void => {
      // An idle partition changes none of them, and is asked for once a second.
      if (this.#shown[name] !== state[name]) gauge.set(this.#label, state[name] / unit)
    }
    show(openMinutes, 'openMinutes')
    show(windowBytes, 'windowBytes')
    show(activeSeries, 'activeSeries')
    show(completeThrough, 'completeThroughMs', 1_000)
    show(lagSeconds, 'lagMs', 1_000)
    this.#shown = state
  }

  remove(): void {
    const { openMinutes, windowBytes, activeSeries, completeThrough, lagSeconds } = this.#metrics
    this.#shown = {}
    for (const gauge of [openMinutes, windowBytes, activeSeries, completeThrough, lagSeconds]) gauge.remove(this.#label)
  }
}
