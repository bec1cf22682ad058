/**
 * A record that ends whoever decodes it (aggregator/test/deadly-decoder.ts), in the log of the whole process: three owners die of it,
 * the fourth sets it aside and goes on. And owners that are killed whenever they are about to fold one and the same sound record
 * never set it aside: what they die of is not the record.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { awaitMinutes } from './await-minutes.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import { SampleModel } from './sample-model.ts'
import { requestsOf, send } from './send-samples.ts'

const minuteMs = 60_000
const tsMs = Math.floor(Date.now() / minuteMs) * minuteMs - 5 * minuteMs
const range = { fromMs: tsMs, toMs: tsMs + minuteMs }
const deadly = {
  // Owners decode what they read from the table, not what the collector in their process hands them.
  MINUTELY_LOG_TAIL_BYTES_MAX: '0',
  NODE_OPTIONS: `--import=${fileURLToPath(new URL('../../aggregator/test/deadly-decoder.ts', import.meta.url))}`,
  MINUTELY_LINGER_MS: '0',
  MINUTELY_LATE_HOLD_MS: '200',
}
const { NODE_OPTIONS: _, ...sound } = deadly

const goodSample = (second: number) => {
  return { serverId: 'good', metricId: 'cpu', labels: {}, value: second, ts: tsMs + second * 1_000 }
}

test('a record that ends its reader ends three, then it is set aside and the rest goes on', {
  timeout: 180_000,
}, async () => {
  const dataDir = await temporaryFolder()
  const model = new SampleModel()
  const sendGood = async (to: EmbeddedChild, second: number): Promise<void> => {
    assert.equal(await send(to.url, requestOf(goodSample(second))), 202)
    model.add(goodSample(second))
  }
  let child = await startChild(dataDir, deadly)
  await sendGood(child, 0)
  // Acknowledged or not: the process may be dead before it can say so.
  await send(child.url, requestOf({ ...goodSample(1), metricId: 'deadly.metric' }))
  assert.equal(await child.exited, null)

  let deathCount = 1
  let survivor: EmbeddedChild | undefined
  while (survivor === undefined) {
    const next = await startChild(dataDir, deadly).catch(() => undefined)
    const metrics = next && (await outcomeOf(next))
    if (next !== undefined && metrics !== undefined) {
      survivor = next
      assert.equal(metrics.get('minutely_aggregator_dead_letters_total{reason="crashes-reader"}'), 1)
    } else {
      deathCount++
    }
    assert.ok(deathCount <= 3, `it ended ${deathCount} owners`)
  }
  assert.equal(deathCount, 3)
  assert.match(survivor.output(), /ended each of 3 processes that folded it alone: SIGKILL, SIGKILL, SIGKILL/)
  await sendGood(survivor, 2)
  assert.deepEqual(await awaitMinutes(survivor.url, model, range), [])
  assert.equal(await survivor.stop(), 0)

  child = await startChild(dataDir, deadly)
  await sendGood(child, 3)
  assert.deepEqual(await awaitMinutes(child.url, model, range), [])
  assert.equal(await child.stop(), 0)
})

test('owners that are killed over and over at one sound record never set it aside', { timeout: 180_000 }, async () => {
  const dataDir = await temporaryFolder()
  const model = new SampleModel()
  const first = await startChild(dataDir, deadly)
  const sample = { ...goodSample(0), metricId: 'deadly.to.owners' }
  // In the log before its reader can die of it; the answer may be lost with the process.
  await send(first.url, requestOf(sample))
  model.add(sample)
  assert.equal(await first.exited, null)
  let outputs = ''
  for (let round = 0; round < 5; round++) {
    const next = await startChild(dataDir, deadly).catch((error: Error) => error)
    if (!(next instanceof Error)) assert.equal(await next.exited, null)
    outputs += next instanceof Error ? next.message : next.output()
  }
  assert.match(
    outputs,
    /owners of this partition in a row did not finish: each batch is tried in a process of its own first/,
  )
  assert.doesNotMatch(outputs, /set aside|folded it/)
  const last = await startChild(dataDir, sound)
  assert.deepEqual(await awaitMinutes(last.url, model, range), [])
  assert.doesNotMatch(await (await fetch(`${last.url}/metrics`)).text(), /dead_letters_total\{/)
  assert.equal(await last.stop(), 0)
})

function requestOf(sample: Parameters<SampleModel['add']>[0]) {
  const [request] = requestsOf([sample], { form: 'rows', encoding: 'identity' })
  assert.ok(request)
  return request
}

/** Its metrics once it has set something aside; undefined when it died before. */
async function outcomeOf(child: EmbeddedChild): Promise<Map<string, number> | undefined> {
  let isDead = false
  void child.exited.then(() => {
    isDead = true
  })
  while (!isDead) {
    const text = await fetch(`${child.url}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    )
    const metrics = new Map(
      text
        .split('\n')
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    )
    if ([...metrics.keys()].some((name) => name.startsWith('minutely_aggregator_dead_letters_total{'))) return metrics
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return undefined
}
