/**
 * Every body of a run, encoded and compressed before the run, because the machine that generates the load is often the
 * one under test. Times in the bodies are those of the run, which is therefore known before: it starts at a whole minute.
 *
 * The file, little-endian, read by k6/agents.js one chunk at a time:
 *
 *   chunk (first cell, worker 0) | chunk (first cell, worker 1) | ... | chunk (next cell, worker 0) | ...
 *   chunk:  { u32 body length, u32 phase in ms, u32 seat, body } for each of the worker's agents, in the order of sending
 *
 * Where chunks lie stands in the manifest, so that a virtual user holds no more than one chunk.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { cellMs, cellsOf, dealAgents, hasJoined, type LoadPlan, type PlannedAgent } from './load-plan.ts'

export interface Chunk {
  readonly offset: number
  readonly length: number
}

/** By cell, then by worker. */
export type ChunkIndex = readonly (readonly Chunk[])[]

const headBytes = 12

export function writeBodies(file: string, plan: LoadPlan): ChunkIndex {
  const hands = dealAgents(plan)
  const descriptor = openSync(file, 'w')
  try {
    let offset = 0
    return cellsOf(plan).map((cell) =>
      hands.map((hand) => {
        const joined = hand.filter(({ agent }) => hasJoined(plan, { agent, cell }))
        const bytes = chunkOf(plan, { hand: joined, cell })
        for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written)
        const chunk = { offset, length: bytes.length }
        offset += bytes.length
        return chunk
      }),
    )
  } finally {
    closeSync(descriptor)
  }
}

function chunkOf({ fleet, startMs }: LoadPlan, { hand, cell }: { hand: PlannedAgent[]; cell: number }): Buffer {
  const blockMs = startMs + cell * cellMs
  return Buffer.concat(
    hand.flatMap(({ agent, phaseMs, seat }) => {
      const body = fleet.body(agent, { startMs: blockMs, sentAtMs: blockMs + cellMs + phaseMs })
      const head = Buffer.alloc(headBytes)
      head.writeUInt32LE(body.length, 0)
      head.writeUInt32LE(phaseMs, 4)
      head.writeUInt32LE(seat, 8)
      return [head, body]
    }),
  )
}

export interface PreparedBody {
  readonly phaseMs: number
  readonly seat: number
  readonly body: Buffer
}

/** What k6/agents.js does in its own words; for tests. */
export function readChunk(bytes: Buffer): PreparedBody[] {
  const bodies: PreparedBody[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + headBytes + bytes.readUInt32LE(at)
    const body = bytes.subarray(at + headBytes, end)
    bodies.push({ phaseMs: bytes.readUInt32LE(at + 4), seat: bytes.readUInt32LE(at + 8), body })
    at = end
  }
  return bodies
}
