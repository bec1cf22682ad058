/** Owners in one process over the real log and store; the processes in which batches are tried have test/deadly-decoder.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import type { DeadLetter } from '@minutely/lib/sample-log/sample-log'
import { encodeSampleRecord } from '@minutely/schema/sample-codec'
import { ConsumerRig, rigStartMs } from './consumer-rig.ts'
import { sectionOf } from './minute-model.ts'

process.env['NODE_OPTIONS'] = `--import=${fileURLToPath(new URL('../test/deadly-decoder.ts', import.meta.url))}`

const grid = (second: number) => ({ startMs: rigStartMs + second * 1_000, stepMs: 1_000 })
const row = (metricId: string) => [{ series: { metricId, labels: {} }, values: [1] }]

async function createRig() {
  const rig = await new ConsumerRig(await createTestDatabase()).start()
  const unfinished = async (): Promise<number | undefined> =>
    (await rig.pool.query<{ unfinished: number }>('select unfinished from partition_run')).rows[0]?.unfinished
  /** As if so many owners had died. */
  const die = (count: number) =>
    rig.pool.query(
      `insert into partition_run values ('minutely.samples', 0, $1)
       on conflict (topic, partition) do update set unfinished = $1`,
      [count],
    )
  const letters = async (): Promise<DeadLetter[]> => Array.fromAsync(rig.log.deadLetters.list())
  return { rig, unfinished, die, letters }
}

describe('a partition', () => {
  test('counts a run until it has read to the end, or ends in order', async () => {
    const { rig, unfinished } = await createRig()
    await rig.send('web-1', grid(0), row('cpu'))
    const first = rig.begin()
    await first.step()
    assert.equal(await unfinished(), 0)
    await first.crash()
    const second = rig.begin()
    second.abort.abort()
    await second.done
    assert.equal((await unfinished()) ?? 0, 0)
    await rig.stop()
  })

  test('whose owners died at sound and at undecodable records loses none of the sound ones', async () => {
    const { rig, unfinished, die, letters } = await createRig()
    await die(7)
    await rig.send('web-1', grid(0), row('deadly.to.owners'))
    await rig.append(Buffer.from('no record'))
    await rig.send('web-1', grid(1), row('cpu'))
    const running = rig.begin()
    await running.step()
    assert.deepEqual(
      (await letters()).map(({ reason }) => reason),
      ['undecodable'],
    )
    assert.equal(await unfinished(), 0)
    await rig.drain(running)
    await rig.assertExact()
    await running.crash()
    await rig.stop()
  })

  test('sets aside what ends three processes alone, keeps its neighbours, and stays careful until that is behind it', async () => {
    const { rig, unfinished, die, letters } = await createRig()
    await die(2)
    await rig.send('web-1', grid(0), row('cpu'))
    const payload = encodeSampleRecord({
      receivedAtMs: rigStartMs,
      sections: [sectionOf('web-2', grid(0), row('deadly.metric'))],
    })
    await rig.append(payload)
    await rig.send('web-1', grid(1), row('cpu'))
    const running = rig.begin()
    await running.step()
    const [letter, ...others] = await letters()
    assert.deepEqual([letter?.reason, letter?.position, others.length], ['crashes-reader', 1, 0])
    assert.deepEqual(letter?.payload, payload)
    assert.match(letter?.detail ?? '', /ended each of 3 processes that folded it alone: SIGKILL, SIGKILL, SIGKILL/)
    assert.equal(await unfinished(), 3, 'the next owner would read it again')
    await running.crash()
    assert.equal(await unfinished(), 3, 'also after an end in order')

    const next = rig.begin()
    await rig.drain(next)
    await rig.assertExact()
    assert.equal(await unfinished(), 0)
    assert.equal((await letters()).length, 1)
    await next.crash()
    await rig.stop()
  })
})
