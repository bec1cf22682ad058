/**
 * When batches are cut and sent. Instants are ms since the epoch on the host's wall clock.
 *
 *       :00            :15            :30            :45            :00
 *        |---- cell ----|---- cell ----|---- cell ----|---- cell ----|
 *                       .--> phase     .--> phase     .--> phase     .--> phase: the cells before it are sent
 *
 * A cell is 15 s of samples. The phase, in [0, 8 s), is a hash of the serverId: stable, so that intervals are even, and
 * spread, so that 10,000 hosts make 1,250 requests a second for 8 s rather than one thundering instant. A minute's last
 * cell leaves before its end + 8 s, ahead of the watermark at + 10 s.
 *
 * What is sent ends at the grid point, not at "now": a block then never straddles a minute, all hosts' blocks have the
 * same 15 slots (the log groups equal grids), and the freshness given up is at most the phase.
 */
import { createHash } from 'node:crypto'

export const cellMs = 15_000
const phaseMsMax = 8000

/** The host's own delay after each grid point, ms in [0, 8000). */
export function flushPhaseMs(serverId: string): number {
  return createHash('sha256').update(serverId).digest().readUInt32BE(0) % phaseMsMax
}

/** The first instant after nowMs at which the host of this phase sends. */
export function nextFlushMs(nowMs: number, { phaseMs }: { phaseMs: number }): number {
  return cellStartMs(nowMs - phaseMs) + cellMs + phaseMs
}

/** Start of the cell an instant lies in. */
export function cellStartMs(instantMs: number): number {
  return Math.floor(instantMs / cellMs) * cellMs
}
