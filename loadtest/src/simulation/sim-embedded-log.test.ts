import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawFaultPlan, embeddedPlan } from './fault-plan.ts'
import { SimRun } from './run-seed.ts'
import { commitKey } from './sim-embedded-log.ts'
import { type ProgressRow, progressKey } from './sim-tables.ts'

const seedCount = 10

test('embedded: exact after crashes of the whole process, and the log has the position that is stored with the minutes', async () => {
  let restarts = 0
  for (let seed = 1; seed <= seedCount; seed++) {
    const { partitionCount } = drawFaultPlan(seed)
    const faults = { ...embeddedPlan, partitionCountLater: partitionCount }
    const onEvent = (line: string): void => {
      if (line.includes('embedded') && line.endsWith('joins')) restarts++
    }
    const run = new SimRun(seed, { faults, onEvent })
    const { problems, acknowledged } = await run.toItsEnd()
    assert.deepEqual(problems, [], `seed ${seed}`)
    assert.ok(acknowledged > 0, `seed ${seed}: nothing acknowledged`)
    for (const partition of run.storage.partitions.values()) {
      const stored = run.database.get<ProgressRow>(progressKey(partition))?.position
      const committed = run.database.get<number>(commitKey(partition))
      if (committed !== undefined) assert.equal(committed, stored, `seed ${seed}`)
      assert.equal(partition.committed, undefined, `seed ${seed}: a commit apart from the minutes`)
    }
  }
  assert.ok(restarts > seedCount, `${restarts} processes`)
})
