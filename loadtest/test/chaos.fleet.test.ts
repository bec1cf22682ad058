/**
 * The short form of `npm run chaos`: the distributed form with servers of its own under 24 agents, broken in all lanes at once
 * for a minute and a half by a fixed seed, then exact. Longer ones are run by hand (docs/guarantees.md).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ChaosRun } from '../src/chaos/chaos-run.ts'
import { DistributedWorld } from '../src/chaos/distributed-world.ts'
import { lanes } from '../src/chaos/fault-kind.ts'
import { distributedKinds } from '../src/chaos/fault-kinds.ts'
import { Tally } from '../src/chaos/tally.ts'
import { takeLogFolder } from './fleet-fixture.ts'

const loadMs = 90_000
const hosts = 24
const metrics = 5
const seed = Number(process.env['MINUTELY_TEST_SEED'] ?? 1)

describe('a distributed form that is broken on purpose', { timeout: 550_000 }, () => {
  const tally = new Tally()
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  let run: ChaosRun<DistributedWorld>

  before(async () => {
    const folder = await takeLogFolder()
    const size = { collectors: 2, aggregators: 3, queryApis: 2 }
    const world = new DistributedWorld({ ...size, folder, pauseMs: 20_000 }, { tally, say })
    const config = { form: 'distributed', kinds: distributedKinds, seed, loadMs, hosts, metrics }
    run = new ChaosRun(config, { world, tally, say })
    await run.start()
    await run.play()
  })
  after(() => run?.stop())

  test('every acknowledged sample is in its minute exactly once, whatever was broken', (context) => {
    const { totals, check, watch, sealings } = run.result()
    const outcome = { ...totals, ...sealings, samples: check?.samples, answers: watch.answers }
    context.diagnostic(`seed ${seed}, ${JSON.stringify(outcome)}`)
    assert.deepEqual(run.storeProblems, [], said.join('\n'))
    assert.equal(totals.unknown + totals.refused, 0)
    const forgotten = check?.forgottenBatches ?? 0
    assert.equal(check?.samples, (totals.acknowledged - forgotten) * metrics * 15)
    assert.ok(totals.acknowledged >= hosts * (loadMs / 15_000 - 1), 'the agents shipped all the time')
  })

  test('no reader saw a minute as final before it was complete, or less of it than before', () => {
    assert.deepEqual(run.readerProblems, [], said.join('\n'))
    assert.ok(run.result().watch.finalSeriesMinutes > 0, 'the readers were told that minutes are final')
  })

  test('hours were sealed meanwhile, again with late data, and dropped past the retention', () => {
    const { sealed = 0, resealed = 0, dropped = 0 } = run.result().sealings ?? {}
    assert.ok(sealed > 0 && resealed > 0, `${sealed} hours sealed, ${resealed} times again`)
    const forgotten = run.result().check?.forgottenBatches ?? 0
    assert.ok(dropped > 0 && forgotten > 0, `${dropped} hours dropped, ${forgotten} batches`)
  })

  test('something was broken in every lane', (context) => {
    context.diagnostic(JSON.stringify(tally.faults))
    const unbroken = lanes
      .map((lane) => distributedKinds.filter((kind) => kind.lane === lane))
      .filter((kinds) => kinds.length > 0 && !kinds.some(({ name }) => tally.faultsOf(name) > 0))
    assert.deepEqual(
      unbroken.map(([kind]) => kind?.lane),
      [],
      said.join('\n'),
    )
  })

  test('all of it stops as it should', async () => {
    await run.stop()
    assert.deepEqual(run.storeProblems, [])
  })
})
