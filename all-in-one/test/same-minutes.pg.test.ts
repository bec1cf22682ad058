/**
 * A minute's result does not depend on how its samples came: the same random set, in any order, batching, duplication,
 * wire form and encoding, and with any number of log partitions, gives the minutes computed from the set.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { createLogger } from '@minutely/lib/logging'
import fc from 'fast-check'
import { allInOneSettings } from '../src/config.ts'
import { Progress } from '../src/progress.ts'
import { type AllInOne, createAllInOne } from '../src/service.ts'
import { awaitMinutes } from './await-minutes.ts'
import { temporaryFolder } from './child-process.ts'
import { type Sample, SampleModel } from './sample-model.ts'
import { encodings, forms, requestsOf, send } from './send-samples.ts'

/** The machine's clock, ahead by what a test has skipped. */
class SkippingClock extends SystemClock {
  #aheadMs = 0
  override nowMs(): number {
    return super.nowMs() + this.#aheadMs
  }
  skip(durationMs: number): void {
    this.#aheadMs += durationMs
  }
}

interface Plan {
  readonly samples: Sample[]
  /** How the samples are cut, repeated and sent: a stream of choices. */
  readonly choices: () => number
}

const minuteMs = 60_000
const metric = fc.constantFrom('system.cpu.utilization', 'app.requests', 'a', 'disk/io:total')
const labels = fc.constantFrom<Record<string, string>>(
  {},
  { 'cpu.mode': 'user' },
  { b: '2', a: 'ünï "q" \\' },
  { a: '1' },
)
const point = fc.record({
  server: fc.nat(2),
  metricId: metric,
  labels,
  /** Most in the last two minutes (on time), some hours back (late). */
  agoMs: fc.oneof({ weight: 4, arbitrary: fc.nat(120_000) }, fc.integer({ min: 3_600_000, max: 3_800_000 })),
  value: fc.integer({ min: -1_000_000, max: 1_000_000 }).map((hundredths) => hundredths / 100),
})
const plan = fc.record({
  points: fc.array(point, { minLength: 1, maxLength: 400 }),
  choices: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
})

for (const partitions of ['1', '3']) {
  describe(`with ${partitions} log partition(s)`, () => {
    const clock = new SkippingClock()
    let minutely: AllInOne
    before(async () => {
      const dataDir = await temporaryFolder()
      const config = loadConfig(allInOneSettings, {
        MINUTELY_DATA_DIR: dataDir,
        MINUTELY_PORT: '0',
        MINUTELY_LOCAL_AGENT: 'off',
        MINUTELY_LOG_PARTITIONS: partitions,
        MINUTELY_LATE_HOLD_MS: '200',
      })
      const progress = new Progress({ clock, write: () => {} })
      minutely = createAllInOne(config, { clock, log: createLogger(config.logging), progress })
      await minutely.start()
    })
    after(() => minutely.stop())

    let run = 0
    test('any order, batching, duplication and wire form gives the same minutes', async () => {
      await fc.assert(
        fc.asyncProperty(plan, async ({ points, choices }) => {
          run++
          const nowMs = clock.nowMs()
          const samples = points.map(({ server, agoMs, ...rest }) => ({
            ...rest,
            serverId: `run-${run}-${server}`,
            ts: nowMs - agoMs,
          }))
          const model = new SampleModel()
          const firstOfSecond = uniqueSeconds(samples)
          for (const sample of firstOfSecond) model.add(sample)
          await sendAll(minutely.url, { samples: firstOfSecond, choices: cycle(choices) })
          clock.skip(2 * minuteMs)
          const range = { fromMs: floorMinute(nowMs - 3_900_000), toMs: floorMinute(nowMs) + minuteMs }
          assert.deepEqual((await awaitMinutes(minutely.url, model, range)).slice(0, 5), [])
        }),
        { numRuns: 12, interruptAfterTimeLimit: 120_000, endOnFailure: true },
      )
    })
  })
}

const floorMinute = (instantMs: number): number => Math.floor(instantMs / minuteMs) * minuteMs

/** One sample per series and second: which of two wins depends on the order, which is what we shuffle. */
function uniqueSeconds(samples: readonly Sample[]): Sample[] {
  const bySecond = new Map<string, Sample>()
  for (const sample of samples) {
    const key = JSON.stringify([
      sample.serverId,
      sample.metricId,
      Object.entries(sample.labels).sort(),
      Math.floor(sample.ts / 1_000),
    ])
    if (!bySecond.has(key)) bySecond.set(key, sample)
  }
  return [...bySecond.values()]
}

async function sendAll(url: string, { samples, choices }: Plan): Promise<void> {
  const shuffled = samples.map((sample) => ({ sample, key: mix(choices(), sample.ts) })).sort((a, b) => a.key - b.key)
  const pending: Promise<void>[] = []
  for (let start = 0; start < shuffled.length; ) {
    const size = 1 + (choices() % 120)
    const part = shuffled.slice(start, start + size).map(({ sample }) => sample)
    start += size
    const form = forms[choices() % forms.length] ?? 'rows'
    const encoding = encodings[choices() % encodings.length] ?? 'identity'
    const times = choices() % 3 === 0 ? 2 : 1
    for (const request of requestsOf(part, { form, encoding })) {
      for (let time = 0; time < times; time++) {
        pending.push(send(url, request).then((status) => assert.equal(status, 202)))
      }
    }
  }
  await Promise.all(pending)
}

function cycle(choices: readonly number[]): () => number {
  let at = 0
  return () => mix(choices[at++ % choices.length] ?? 0, at)
}

const mix = (a: number, b: number): number => (Math.imul(a ^ (b | 0), 0x9e3779b1) ^ (a >>> 15)) >>> 0
