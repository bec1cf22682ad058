/**
 * The query API keeps sealed hours in memory. Whatever changes one, late data, an import, the sealer or retention, between two equal
 * questions: the second shows it. All of them are the real ones; beside the query API there is one that keeps nothing.
 */
import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { csvLines, importInto, type TestPoint, writeHistory } from '@minutely/aggregator/import/test-import'
import { Retention, retentionRules } from '@minutely/aggregator/retention'
import { dropExpired } from '@minutely/aggregator/sealing/drop-expired'
import {
  createTestSealer,
  hotRows,
  hourAtMs,
  hourMs,
  lateData,
  ramp,
  SealingOwner,
  sealConfig,
  sealStates,
  wholeHour,
} from '@minutely/aggregator/sealing/test-sealing'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import { createTestApi } from '@minutely/query-api/test-api'

const config = { ...sealConfig, retentionByMetric: retentionRules.parse('a=6h/48h,b=7d') }

/** `count` seconds from one of the hour on. */
const points = (name: string, { from, count }: { from: number; count: number }): TestPoint[] =>
  ramp(count, from + 20_000).map((value, index) => ({ name, atMs: hourAtMs + (from + index) * 1_000, value }))

async function createSealed(context: TestContext) {
  const database = await createTestDatabase()
  const { pool } = database
  const owner = new SealingOwner(pool)
  await owner.store(wholeHour)
  const sealer = createTestSealer(pool, config)
  context.after(() => sealer.stop())
  await sealer.look()
  const kept = await createTestApi({}, () => new AbsentRecentRing(), database)
  const plain = await createTestApi({ cacheBytesMax: 0 }, () => new AbsentRecentRing(), database)
  const range = `from=${hourAtMs}&to=${hourAtMs + hourMs}`
  const paths = [
    `/v1/servers/server/series?${range}&stepMs=60000`,
    `/v1/servers/server/series?${range}&stepMs=300000&metricId=b`,
    `/v1/metrics/b/series?${range}&stepMs=60000`,
    `/v1/metrics/b/summary?${range}&stepMs=60000`,
    `/v1/servers/server/series?${range}&stepMs=3600000`,
    `/v1/metrics/a/series?${range}&stepMs=60000`,
  ]
  /** What the first four questions, or those of others, say now: the same from memory and without. */
  const ask = async (asked = paths.slice(0, 5)): Promise<string[]> => {
    const answers: string[] = []
    for (const path of asked) {
      const [one, other] = [await kept.get(path), await plain.get(path)]
      const [text, expected] = [await one.text(), await other.text()]
      assert.deepEqual([one.status, text], [other.status, expected], path)
      assert.equal(one.headers.get('etag'), other.headers.get('etag'), path)
      answers.push(`${one.status} ${text}`)
    }
    return answers
  }
  const cachedBlocks = async (): Promise<number> => {
    const metric = kept.registry.getSingleMetric('minutely_query_sealed_blocks_total')
    const { values } = (await metric?.get()) ?? { values: [] }
    return values.find(({ labels }) => labels['source'] === 'cache')?.value ?? 0
  }
  const bring = (list: readonly TestPoint[]) =>
    importInto(pool, {
      args: [writeHistory(csvLines(list))],
      config: { retentionByMetric: config.retentionByMetric },
    })
  return { pool, owner, sealer, ask, cachedBlocks, bring, ofA: paths.slice(5) }
}

/** Each answer is another one than before. */
function assertAllChanged(before: readonly string[], after: readonly string[]): void {
  before.forEach((text, index) => void assert.notEqual(text, after[index], `question ${index}`))
}

it('an import into a sealed hour is in the next answer, also where the hour has had one before', async (context) => {
  const { pool, sealer, ask, cachedBlocks, bring } = await createSealed(context)
  const sealed = await ask()
  const cachedBefore = await cachedBlocks()
  assert.deepEqual(await ask(), sealed)
  assert.ok((await cachedBlocks()) > cachedBefore, 'nothing came from memory')

  // Into gaps of b: its block is written anew, in place, and there are no rows.
  await bring(points('b', { from: 60, count: 90 }))
  assert.deepEqual([(await sealStates(pool))[0], await hotRows(pool)], ['sealed', -1])
  const once = await ask()
  assertAllChanged(sealed, once)

  // What was asked in between is remembered, too.
  await bring(points('b', { from: 1_000, count: 200 }))
  const twice = await ask()
  assertAllChanged(once, twice)

  await sealer.clock.advance(16 * 60_000)
  await sealer.look()
  assert.deepEqual(await ask(), twice)
})

it('a block that is written anew while nobody asks is in the next answer, though its hour is sealed as before', async (context) => {
  const { pool, owner, sealer, ask, bring } = await createSealed(context)
  const sealed = await ask()
  assert.equal((await sealStates(pool))[0], 'sealed')
  await bring(points('b', { from: 60, count: 90 }))
  await owner.store(lateData)
  await sealer.clock.advance(16 * 60_000)
  await sealer.look()
  assert.deepEqual([(await sealStates(pool))[0], await hotRows(pool)], ['sealed', -1])
  assertAllChanged(sealed, await ask())
})

it('minutes of a metric that are dropped by its own retention are gone from the next answer, the others stay', async (context) => {
  const { pool, ask, ofA } = await createSealed(context)
  const [all, a] = [await ask(), await ask(ofA)]
  assert.match(a[0] ?? '', /^200 /)
  const dropped = await dropExpired(pool, new Retention(config), hourAtMs + 7 * hourMs)
  assert.deepEqual(dropped, ['hour_block_c1_2027011508_1h', 'hour_block_c1_2027011509_1h'])
  assert.equal((await sealStates(pool))[0], 'sealed')
  assert.match((await ask(ofA))[0] ?? '', /^422 .*step-too-fine/)
  const after = await ask()
  assert.notEqual(after[0], all[0])
  assert.deepEqual(after.slice(1), all.slice(1))
})
