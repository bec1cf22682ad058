import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CaseFigures, costsOf, nameOf, parseCase, quantile, topicsReport } from './topics-report.ts'

const member = { samples: 1e6, cpuS: 1, seconds: 10, ageP50Ms: 10, ageP99Ms: 20, ageMaxMs: 30, residentBytes: 1e8 }
const writer = {
  samples: 2e6,
  failures: 0,
  cpuS: 1,
  seconds: 10,
  touchedPerAppend: 80,
  sendP50Ms: 5,
  sendP99Ms: 9,
  residentBytes: 1e8,
}

test('cases as they are written, and what is refused', () => {
  assert.deepEqual(parseCase('2000', 4), { metricCount: 2_000, partitionCount: 4, topicsMax: 2_000 })
  assert.deepEqual(parseCase('2000x1', 4), { metricCount: 2_000, partitionCount: 1, topicsMax: 2_000 })
  assert.deepEqual(parseCase('2000x2/0', 4), { metricCount: 2_000, partitionCount: 2, topicsMax: 0 })
  for (const wrong of ['', '0', '20x0', '20/', '20 x 4', '-1']) assert.throws(() => parseCase(wrong, 4), /is written/)
})

test('quantiles by rank, and of nothing', () => {
  assert.equal(quantile([5, 1, 3], 0.5), 3)
  assert.equal(quantile([5, 1, 3], 1), 5)
  assert.equal(quantile([], 0.99), 0)
})

test('costs are per million samples, of all readers together', () => {
  const costs = costsOf({ writer, members: [member, { ...member, cpuS: 3 }], brokerCpuS: 4 })
  assert.deepEqual(costs, { write: 0.5, read: 2, broker: 2 })
})

test('ratios are to the first case with the same linger', () => {
  const baseline = caseOf(20, 1)
  const rows = topicsReport([baseline, caseOf(2_000, 3)]).split('\n')
  const costs = rows.filter((row) => row.startsWith('| 2,000 x 4'))
  assert.match(costs[0] ?? '', /\| 250 \/ 200 \| 200 \| 80 \| 1\.500 \(3\.00\)/)
  assert.match(costs[1] ?? '', /\| 1000 \/ 200 \| 200 \| 80 \| 0\.750 \(3\.00\)/)
  assert.match(rows.find((row) => row.startsWith('| 20 x 4')) ?? '', /0\.500 \(1\.00\)/)
})

test('an append that failed is not hidden', () => {
  const one = caseOf(20, 1)
  const loads = one.loads.map((load) => ({ ...load, writer: { ...load.writer, failures: 7 } }))
  assert.match(topicsReport([{ ...one, loads }]), /7 appends FAILED/)
})

test('a case is named by what is in it', () => {
  assert.equal(nameOf(parseCase('2000', 4)), '2,000 x 4')
  assert.equal(nameOf(parseCase('2000/200', 4)), '2,000 x 4, 200 own topics, the others shared')
})

function caseOf(metricCount: number, factor: number): CaseFigures {
  const load = (lingerMs: number, cpuS: number) => ({
    lingerMs,
    fetchEveryMs: 200,
    writer: { ...writer, cpuS },
    members: [member, member],
    brokerCpuS: 1,
  })
  return {
    spec: { metricCount, partitionCount: 4, topicsMax: metricCount },
    partitions: metricCount * 4,
    createMs: 1_000,
    idle: { members: [member, member], brokerCpuS: 1 },
    loads: [load(250, factor), load(1_000, factor / 2)],
    join: { tookMs: 1_000, ageMaxMs: 50 },
    kill: { tookMs: 12_000, ageMaxMs: 60 },
    brokerResidentBytes: 1e9,
  }
}
