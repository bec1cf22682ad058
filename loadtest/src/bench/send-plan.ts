/**
 * Which batch leaves when; pure. Every host ships every 15 s at its cell's end plus a phase of its own in [0, 8 s), spread evenly.
 *
 *   batch index = cell x hosts + host: the order of sending, and the order of bodies in their file.
 *
 * Instants are of the fleet's time, ms since the epoch; `realDelayMs` says how long that is on the machine's clock.
 */
import { batchSeconds } from '../generated-fleet.ts'

export const cellMs = batchSeconds * 1_000
const phaseMsMax = 8_000

export interface SendPlan {
  readonly hostCount: number
  readonly metricCount: number
  /** A whole minute. */
  readonly startMs: number
  /** Of 15 s. */
  readonly cellCount: number
}

export interface PlannedBatch {
  readonly host: number
  readonly startMs: number
  readonly dueMs: number
}

/** When the fleet's time was what, and how many times as fast as real time it goes. */
export interface FleetTime {
  readonly realMs: number
  readonly fleetMs: number
  readonly speed: number
}

export function batchCount({ cellCount, hostCount }: SendPlan): number {
  return cellCount * hostCount
}

export function sampleCount({ cellCount, hostCount, metricCount }: SendPlan): number {
  return cellCount * hostCount * metricCount * batchSeconds
}

export function batchAt(plan: SendPlan, index: number): PlannedBatch {
  const host = index % plan.hostCount
  const startMs = plan.startMs + Math.floor(index / plan.hostCount) * cellMs
  return { host, startMs, dueMs: startMs + cellMs + (host * phaseMsMax) / plan.hostCount }
}

/** Of the machine's clock until this instant of the fleet's; negative when it is over. */
export function realDelayMs(time: FleetTime, { dueMs, nowMs }: { dueMs: number; nowMs: number }): number {
  return (dueMs - time.fleetMs) / time.speed - (nowMs - time.realMs)
}
