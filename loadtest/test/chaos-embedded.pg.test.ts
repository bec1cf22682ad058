/**
 * The short form of `npm run chaos -- --embedded`: one process, killed in a loop alone and with its PostgreSQL, its agents'
 * connections cut, for three quarters of a minute, while hours are sealed and get late data; then exact.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ChaosRun } from '../src/chaos/chaos-run.ts'
import { EmbeddedWorld } from '../src/chaos/embedded-world.ts'
import { embeddedKinds } from '../src/chaos/fault-kinds.ts'
import { Tally } from '../src/chaos/tally.ts'
import { takeLogFolder } from './fleet-fixture.ts'

const seed = Number(process.env['MINUTELY_TEST_SEED'] ?? 1)
const loadMs = 45_000
const hosts = 20
const metrics = 5

describe('an embedded process that is killed in a loop', { timeout: 400_000 }, () => {
  const tally = new Tally()
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  let run: ChaosRun<EmbeddedWorld>

  before(async () => {
    const world = new EmbeddedWorld({ folder: await takeLogFolder() }, { tally, say })
    const config = { form: 'embedded', kinds: embeddedKinds, seed, loadMs, hosts, metrics }
    run = new ChaosRun(config, { world, tally, say })
    await run.start()
    await run.play()
  })
  after(() => run?.stop())

  test('every acknowledged sample is in its minute exactly once, and no reader saw less as final', (context) => {
    const { totals, check, sealings } = run.result()
    context.diagnostic(`seed ${seed}, ${JSON.stringify({ ...totals, ...sealings })}, ${JSON.stringify(tally.faults)}`)
    assert.deepEqual(run.problems, [], said.join('\n'))
    assert.equal(totals.unknown + totals.refused, 0)
    // None, but in a run in which an hour ends.
    const forgotten = check?.forgottenBatches ?? 0
    assert.equal(check?.samples, (totals.acknowledged - forgotten) * metrics * 15)
    assert.ok(tally.of('kills') > 1 && tally.of('restarts') > 1, 'it was killed and came back')
  })

  test('hours were sealed meanwhile, and again with late data', () => {
    const { sealed = 0, resealed = 0 } = run.result().sealings ?? {}
    assert.ok(sealed > 0 && resealed > 0, `${sealed} hours sealed, ${resealed} times again`)
  })

  test('it stops as it should', async () => {
    await run.stop()
    assert.deepEqual(run.problems, [])
  })
})
