/**
 * Who is measured: ours in either form, VictoriaMetrics, Prometheus. Each starts with empty storage of its own in `folder`, takes the
 * same samples at the same pace, and is stopped in the end; what it does while it stops counts.
 */
import type { Interval } from './measured-run.ts'
import type { DiskPart } from './postgres-look.ts'
import type { Roots } from './process-tree.ts'
import type { FleetTime, SendPlan } from './send-plan.ts'
import type { WireFormat } from './sender-contract.ts'

export interface Contestant {
  readonly name: string
  readonly format: WireFormat
  start(request: StartRequest): Promise<Running>
}

export interface StartRequest {
  /** Its own, empty, removed by whoever made it. */
  readonly folder: string
  readonly plan: SendPlan
  readonly speed: number
  /** Whether CPU profiles will be asked for. */
  readonly isProfiled: boolean
}

export interface Running {
  /** Where batches go. */
  readonly url: string
  readonly time: FleetTime
  readonly roots: Roots
  /** Names of Postgres' backends by pid. */
  backends(): Promise<ReadonlyMap<number, string>>
  /** Until all that was sent is where it belongs, e.g. every minute is closed. */
  settle(interval: Interval): Promise<void>
  /** Lines about what is wrong with what it stored, or strange about the run. */
  check(interval: Interval): Promise<Finding>
  /** While it runs; undefined where it is only known after it stopped. */
  disk(): Promise<DiskPart[] | undefined>
  /** Processes of ours that can be profiled, by pid. */
  readonly profiled: readonly number[]
  startProfile(): Promise<void>
  /** Writes what was profiled since `startProfile` into this folder. */
  stopProfile(folder: string): Promise<readonly WrittenProfile[]>
  /** Base URLs of what has our /metrics. */
  readonly metricsUrls: readonly string[]
  stop(): Promise<void>
}

export interface WrittenProfile {
  /** Of the process, as in `roots`. */
  readonly name: string
  readonly pid: number
  readonly file: string
}

export interface Finding {
  readonly checked: string
  readonly problems: readonly string[]
  readonly remarks: readonly string[]
}
