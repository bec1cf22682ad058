import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { median } from './bench-numbers.ts'
import { contestTable, cpuTable, type Rounds, sendLines, stageTable } from './bench-report.ts'
import { keptFigures, renderTable } from './bench-table.ts'
import type { RunFigures } from './measured-run.ts'
import { keepFigures, readPrevious } from './previous-run.ts'

function runOf(cpu: Readonly<Record<string, number>>): RunFigures {
  const rows = Object.entries(cpu).map(([name, cpuS]) => ({ name, cpuS }))
  return {
    samples: 10_000_000,
    cpu: rows,
    totalCpuS: rows.reduce((sum, { cpuS }) => sum + cpuS, 0),
    memory: [
      { name: 'Node', peakBytes: 200e6 },
      { name: 'Postgres', peakBytes: 100e6 },
    ],
    disk: [
      { name: 'WAL', bytes: 3_000_000, isBounded: true },
      { name: 'minutes: tables', bytes: 1_000_000, isBounded: false },
    ],
    send: { wallS: 10, acceptedCount: 3, refused: { 503: 2, 0: 1 }, p50Ms: 80, p99Ms: 200, behindMsMax: 12 },
    finding: { checked: 'every minute', problems: ['host-1 is wrong'], remarks: [] },
  }
}

const ours: Rounds = {
  name: 'ours',
  runs: [runOf({ Node: 3, Postgres: 1 }), runOf({ Node: 5, Postgres: 1, 'while it stops': 1 })],
}
const theirs: Rounds = { name: 'theirs', runs: [runOf({ theirs: 8 }), runOf({ theirs: 10 })] }

test('a median of an even number lies between the two', () => {
  assert.deepEqual([median([3]), median([1, 9]), median([5, 1, 3]), median([4, 1, 2, 3])], [3, 5, 3, 2.5])
})

test('CPU is per million samples, by process, with a total and the floor', () => {
  const { figures } = cpuTable(ours, { floorS: 0.5, samples: 10_000_000 })
  assert.deepEqual(
    figures.map(({ name, value }) => [name, Number(value.toFixed(3))]),
    [
      ['Node', 0.4],
      ['Postgres', 0.1],
      // In one of two rounds.
      ['while it stops', 0.05],
      ['**total**', 0.55],
      ['floor: decompress and read once', 0.05],
    ],
  )
})

test('a ratio compares runs of the same round', () => {
  const { figures } = contestTable([ours, theirs], 1_000)
  assert.deepEqual(
    figures.map(({ name, more = [] }) => [name, ...more]),
    [
      ['ours', '0.400, 0.700', '', '', '300', '4000.0', '1000.0'],
      ['theirs', '0.800, 1.000', '0.60', '0.50, 0.70', '300', '4000.0', '1000.0'],
    ],
  )
})

test('stages too small to be shown are summed, not dropped', () => {
  const stages = [
    { name: 'fold', cpuS: 9.99 },
    { name: 'a', cpuS: 0.006 },
    { name: 'b', cpuS: 0.004 },
  ]
  const { figures } = stageTable(stages, { samples: 1_000_000 })
  assert.deepEqual(
    figures.map(({ name, value }) => [name, value.toFixed(3)]),
    [
      ['fold', '9.990'],
      ['all below 0.1 %', '0.010'],
      ['**total**', '10.000'],
    ],
  )
})

test('what was refused and what is wrong is said', () => {
  const lines = sendLines(theirs).join('\n')
  assert.match(lines, /refused: 1 x no answer, 2 x 503/)
  assert.match(lines, /every minute, 1 wrong\n {2}host-1 is wrong/)
})

test('the previous run of the same options stands beside, and one that cannot be read is none', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-previous-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'below', 'previous.json')
  const table = (value: number) => ({ title: 'process', unit: 'CPU-s', figures: [{ name: 'Node', value, digits: 1 }] })
  assert.deepEqual(await readPrevious('a', file), {})
  await keepFigures('a', keptFigures([table(2)]), file)
  await keepFigures('b', keptFigures([table(7)]), file)
  assert.match(renderTable(table(3), await readPrevious('a', file)), /^\| Node \| 3\.0 \| 2\.0 \(now \+50 %\) \|$/m)
  assert.match(renderTable(table(3), await readPrevious('c', file)), /^\| Node \| 3\.0 \| {2}\|$/m)
  await writeFile(file, '{')
  assert.deepEqual(await readPrevious('a', file), {})
})
