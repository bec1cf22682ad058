/**
 * Which agent sends what, and when: pure, so that the generator, the checker and the tests agree without talking.
 *
 *       :00            :15            :30         an agent's batch: one cell of 15 s, all metrics, every second.
 *        |---- cell ----|---- cell ----|          It leaves at the cell's end + the agent's phase in [0, 8 s), as
 *                        .--> phase     .--> phase agent/src/flush-grid.ts has it: 1,250 requests a second for 8 s, then
 *                                                 7 s of silence, 667 a second on average for 10,000 agents.
 *
 * Agents are numbers from 0. In the order of their phases they are dealt to `workers` like cards, so that every worker
 * (a virtual user of k6) has the same even load; the collector is dealt the same way, and an agent stays with its own.
 *
 *   | warm-up: cell -4 | -3 | -2 | -1 | measured: cell 0 | 1 | ...
 *     a quarter joins   half  3/4  all   startMs
 *
 * Fleets are rolled out over time; in the warm-up of `warmUpCells` an equal share of the agents joins at each cell, and
 * goes on from there. Instants are ms since the epoch.
 */
import { createHash } from 'node:crypto'
import { batchSeconds, type GeneratedFleet } from './generated-fleet.ts'

export const cellMs = batchSeconds * 1_000
export const cellsPerMinute = 60_000 / cellMs
const phaseMsMax = 8_000

export interface LoadPlan {
  readonly fleet: GeneratedFleet
  /** Start of cell 0, the first measured one. A whole minute, where minutes are to be complete. */
  readonly startMs: number
  /** Measured ones. */
  readonly cellCount: number
  readonly warmUpCells: number
  readonly workers: number
}

/** The delay after each grid point with which an agent of this name sends, ms. */
export function agentPhaseMs(serverId: string): number {
  return createHash('sha256').update(serverId).digest().readUInt32BE(0) % phaseMsMax
}

export interface PlannedAgent {
  readonly agent: number
  readonly phaseMs: number
  /** Position in the order of phases. */
  readonly seat: number
}

/** Agents by worker, in the order in which they send. */
export function dealAgents({ fleet, workers }: LoadPlan): PlannedAgent[][] {
  const inOrder = Array.from({ length: fleet.shape.hostCount }, (_, agent) => ({
    agent,
    phaseMs: agentPhaseMs(fleet.serverId(agent)),
  })).sort((a, b) => a.phaseMs - b.phaseMs || a.agent - b.agent)
  const seated = inOrder.map((planned, seat) => ({ ...planned, seat }))
  return Array.from({ length: workers }, (_, worker) => seated.filter(({ seat }) => seat % workers === worker))
}

/** Numbers of all cells, those of the warm-up are negative. */
export function cellsOf({ cellCount, warmUpCells }: LoadPlan): number[] {
  return Array.from({ length: warmUpCells + cellCount }, (_, index) => index - warmUpCells)
}

/** Whether the agent sends this cell. */
export function hasJoined({ warmUpCells }: LoadPlan, { agent, cell }: { agent: number; cell: number }): boolean {
  return cell >= 0 || agent % warmUpCells <= cell + warmUpCells
}

/** When the warm-up starts. */
export function firstCellMs({ startMs, warmUpCells }: LoadPlan): number {
  return startMs - warmUpCells * cellMs
}

export function endMs({ startMs, cellCount }: LoadPlan): number {
  return startMs + cellCount * cellMs
}

/** What is sent in all when nothing fails, warm-up included. */
export function expectedTotals(plan: LoadPlan): { batches: number; samples: number } {
  const { hostCount, metricCount } = plan.fleet.shape
  const agents = Array.from({ length: hostCount }, (_, agent) => agent)
  const batches = cellsOf(plan).reduce(
    (sum, cell) => sum + agents.filter((agent) => hasJoined(plan, { agent, cell })).length,
    0,
  )
  return { batches, samples: batches * metricCount * batchSeconds }
}

/** Agents to be read back, evenly spread over the numbers; their partitions and collectors are hashes of their names. */
export function sampleOf(agentCount: number, { size }: { size: number }): number[] {
  const count = Math.min(size, agentCount)
  return Array.from({ length: count }, (_, index) => Math.floor(((index + 0.5) * agentCount) / count))
}

/** The first whole minute that leaves this much time to prepare. */
export function firstMinuteMs(nowMs: number, { leadMs }: { leadMs: number }): number {
  return Math.ceil((nowMs + leadMs) / 60_000) * 60_000
}
