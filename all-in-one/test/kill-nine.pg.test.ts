/**
 * 20 rounds of kill -9 during ingest: no acknowledged sample is lost, none counts twice. Senders repeat each request
 * until it is acknowledged, as agents do, so many are sent twice; in the end what is stored must equal the set.
 * Some samples are of now (their minutes close between the kills), some of the last hour (merged late).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awaitMinutes } from './await-minutes.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import { type Sample, SampleModel } from './sample-model.ts'
import { encodings, forms, requestsOf, send, type WireRequest } from './send-samples.ts'

const rounds = 20
const senders = 4
const minuteMs = 60_000
const seconds = 15
const seed = Number(process.env['MINUTELY_TEST_SEED'] ?? 1)

test(`${rounds} rounds of kill -9 during ingest: exact`, { timeout: 600_000 }, async (context) => {
  const dataDir = await temporaryFolder()
  // Closing minutes at their end makes more of them close between two kills.
  const settings = { MINUTELY_LATENESS_MS: '0', MINUTELY_LATE_HOLD_MS: '200' }
  const random = generator(seed)
  const model = new SampleModel()
  const startedAtMs = Date.now()
  let child: EmbeddedChild | undefined = await startChild(dataDir, settings)
  let acknowledged = 0
  let unanswered = 0
  let finished = false
  let onAcknowledged = (): void => {}

  const sendUntilAcknowledged = async (request: WireRequest): Promise<void> => {
    for (;;) {
      const status = child === undefined ? 0 : await send(child.url, request)
      if (status === 202) break
      assert.ok(status === 0 || status === 503, `status ${status}`)
      unanswered++
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    acknowledged++
    onAcknowledged()
  }
  const runSender = async (sender: number): Promise<void> => {
    for (let batch = 0; !finished; batch++) {
      const samples = makeBatch({ sender, batch, startedAtMs, random })
      for (const sample of samples) model.add(sample)
      const form = forms[Math.floor(random() * forms.length)] ?? 'rows'
      const encoding = encodings[Math.floor(random() * encodings.length)] ?? 'identity'
      for (const request of requestsOf(samples, { form, encoding })) await sendUntilAcknowledged(request)
    }
  }
  const sending = Promise.all(Array.from({ length: senders }, (_, sender) => runSender(sender)))

  for (let round = 0; round < rounds; round++) {
    // Killed after a random number of acknowledgements, with other requests under way.
    const target = acknowledged + 1 + Math.floor(random() * 40)
    await new Promise<void>((resolve) => {
      onAcknowledged = () => {
        if (acknowledged >= target) resolve()
      }
    })
    const victim = child
    child = undefined
    await victim?.kill()
    child = await startChild(dataDir, settings)
  }
  finished = true
  await sending
  context.diagnostic(
    `${acknowledged} requests acknowledged, ${unanswered} tries without an answer, ${model.sampleCount} samples, seed ${seed}`,
  )
  assert.ok(unanswered > rounds / 2, 'the kills hit requests under way')

  const range = { fromMs: floorMinute(startedAtMs) - 90 * minuteMs, toMs: floorMinute(Date.now()) + minuteMs }
  assert.deepEqual((await awaitMinutes(child.url, model, range, 120_000)).slice(0, 5), [])
  assert.equal(await child.stop(), 0)

  // And once more from a clean stop.
  child = await startChild(dataDir, settings)
  assert.deepEqual((await awaitMinutes(child.url, model, range, 30_000)).slice(0, 5), [])
  assert.equal(await child.stop(), 0)
})

const floorMinute = (instantMs: number): number => Math.floor(instantMs / minuteMs) * minuteMs

/** Even batches are of the current seconds, odd ones of the last hour. Each second of a sender's series comes once. */
function makeBatch(at: { sender: number; batch: number; startedAtMs: number; random: () => number }): Sample[] {
  const { sender, batch, startedAtMs, random } = at
  const isLate = batch % 2 === 1
  const startMs = isLate
    ? floorMinute(startedAtMs) - 60 * minuteMs + ((batch * seconds * 1_000) % (55 * minuteMs))
    : Math.floor(Date.now() / 1_000) * 1_000 - seconds * 1_000
  const serverId = `sender-${sender}`
  return ['app.requests', 'app.errors'].flatMap((metricId) =>
    Array.from({ length: seconds }, (_, second) => ({
      serverId,
      metricId,
      labels: { kind: isLate ? 'late' : 'live', turn: String(batch % 40) },
      ts: startMs + second * 1_000,
      value: Math.round(random() * 100_000) / 100,
    })),
  )
}

/** mulberry32. */
function generator(start: number): () => number {
  let state = start | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
