import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { decodeSampleBatch, decodeSeriesList } from '@minutely/schema/sample-codec'
import { seriesKey } from '@minutely/schema/series-identity'
import { GeneratedFleet } from './generated-fleet.ts'
import { agentPhaseMs, cellMs } from './load-plan.ts'
import { readChunk, writeBodies } from './prepared-bodies.ts'

test('every body of the file decodes to what its agent has in its cell, once, at its time', (t) => {
  const fleet = new GeneratedFleet({ hostCount: 23, metricCount: 10, seed: 5 })
  const plan = { fleet, startMs: 1_764_028_800_000, cellCount: 1, warmUpCells: 2, workers: 4 }
  const folder = mkdtempSync(join(tmpdir(), 'minutely-bodies-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'bodies.bin')
  const chunks = writeBodies(file, plan)
  const bytes = readFileSync(file)
  const seen = new Set<string>()
  let end = 0
  for (const [index, ofWorkers] of chunks.entries()) {
    const cell = index - 2
    assert.equal(ofWorkers.length, 4)
    for (const [worker, { offset, length }] of ofWorkers.entries()) {
      assert.equal(offset, end, 'chunks follow each other')
      end += length
      for (const { phaseMs, seat, body } of readChunk(bytes.subarray(offset, end))) {
        const { serverId, sentAtMs, blocks } = decodeSampleBatch(zstdDecompressSync(body))
        const agent = Number(serverId.slice('host-'.length))
        const [block, ...others] = blocks
        assert.ok(block !== undefined && others.length === 0)
        const startMs = plan.startMs + cell * cellMs
        assert.equal(phaseMs, agentPhaseMs(serverId))
        assert.equal(seat % 4, worker)
        assert.deepEqual([block.startMs, block.stepMs, block.slotCount], [startMs, 1_000, 15])
        assert.equal(sentAtMs, startMs + cellMs + phaseMs)
        assert.deepEqual(decodeSeriesList(block.series).map(seriesKey), fleet.series.map(seriesKey))
        const values = new Float64Array(new Uint8Array(block.values).buffer)
        const expected = fleet.series.flatMap((_, metric) =>
          Array.from({ length: 15 }, (_slot, slot) => fleet.value(agent, metric, startMs / 1_000 + slot)),
        )
        assert.deepEqual([...values], expected)
        seen.add(`${agent} ${cell}`)
      }
    }
  }
  assert.equal(end, bytes.length)
  // In the first of the two cells of the warm-up every second agent has joined.
  assert.equal(seen.size, 12 + 23 + 23)
})
