/**
 * An agent as a process: the real batcher, queue and shipper over a network that loses, delays, doubles and reorders. It reads
 * its host when it flushes, for all seconds since the last flush: what the sampler would have read one by one.
 *
 *     agent ── request ──(lost, late, twice)──> collector ── answer ──(lost, late)──> agent
 */

import { SampleBatcher } from '@minutely/agent/batch'
import { BatchQueue } from '@minutely/agent/batch-queue'
import { type CollectorClient, RetryableError, type Verdict } from '@minutely/agent/collector-client'
import { flushPhaseMs, nextFlushMs } from '@minutely/agent/flush-grid'
import type { AgentMetrics } from '@minutely/agent/metrics'
import { createShipper } from '@minutely/agent/ship'
import type { Logger } from '@minutely/lib/logging'
import { secondMs } from '@minutely/schema/limits'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { type SampleLedger, sampleValue } from './sample-ledger.ts'
import { forEachSample, openBody, type SimCollector } from './sim-collector.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

const requestTimeoutMs = 15_000

export interface SimAgentDeps {
  readonly world: SimWorld
  readonly process: SimProcess
  readonly ledger: SampleLedger
  readonly series: readonly SeriesRef[]
  readonly collectors: () => readonly SimCollector[]
  readonly log: Logger
  readonly metrics: AgentMetrics
}

/** Samples until `untilMs` of true time; what it has then it ships. */
export function startAgent(serverId: string, untilMs: number, deps: SimAgentDeps): void {
  const { world, process, series, log, metrics } = deps
  const { clock } = process
  const { random } = world
  const batcher = new SampleBatcher()
  const monotonicMs = (): number => world.nowMs
  const queue = new BatchQueue(
    { queueBytesMax: 1 << 20, queueAgeMaxMs: 60 * 60_000 },
    { monotonicMs, onDrop: () => {} },
  )
  const client = networkClient(deps)
  const room = (): string => 'as much as there is'
  const shipper = createShipper(
    { requestTimeoutMs },
    // Compressing is no decision, and would be a tenth of a run.
    { serverId, queue, client, clock, log, metrics, random: random.next, monotonicMs, room, compress: (body) => body },
  )
  const phaseMs = flushPhaseMs(serverId)
  let nextSecondMs = Math.ceil(clock.nowMs() / secondMs) * secondMs
  const schedule = (): void => {
    const nowMs = clock.nowMs()
    clock.schedule(nextFlushMs(nowMs, { phaseMs }) - nowMs, () => {
      for (; nextSecondMs <= clock.nowMs(); nextSecondMs += secondMs) {
        // A gap now and then.
        if (random.chance(0.02)) continue
        const samples = series.map((one) => ({ series: one, value: sampleValue(serverId, one, nextSecondMs) }))
        batcher.add(nextSecondMs, samples)
      }
      const isLast = world.nowMs >= untilMs
      shipper.ship(isLast ? batcher.takeAll() : batcher.takeEnded(clock.nowMs()))
      if (!isLast) schedule()
    })
  }
  schedule()
}

function networkClient({ world, process, ledger, collectors }: SimAgentDeps): CollectorClient {
  const { random, faults } = world
  const attempt = (body: Buffer): void => {
    const { serverId, blocks } = openBody(body)
    for (const block of blocks) {
      forEachSample(block, (series, atMs) => ledger.attempt(serverId, series, { atMs, nowMs: world.nowMs }))
    }
  }
  const carry = async (body: Buffer): Promise<Verdict> => {
    await world.delay(world.chance(faults.requestSlow) ? random.between(0, 14_000) : random.skewed(100))
    if (world.chance(faults.requestLost)) return new Promise(() => {})
    const alive = collectors().filter((collector) => !collector.process.isDead)
    if (alive.length === 0) throw new RetryableError('no collector can be reached', { reason: 'network' })
    if (world.chance(faults.requestDoubled)) {
      const again = random.between(1, 60_000)
      const other = random.pick(alive)
      world.clock.schedule(again, () => void other.post(body).catch(() => {}))
    }
    const answer = random.pick(alive).post(body)
    const verdict = await answer
    await world.delay(world.chance(faults.requestSlow) ? random.between(0, 14_000) : random.skewed(100))
    if (world.chance(faults.answerLost)) throw new RetryableError('the connection broke', { reason: 'network' })
    return verdict
  }
  return {
    post: (body) => {
      attempt(body)
      return process.call(
        () =>
          new Promise<Verdict>((resolve, reject) => {
            const cancel = world.clock.schedule(requestTimeoutMs, () =>
              reject(new RetryableError('no answer in time', { reason: 'timeout' })),
            )
            carry(body).then(
              (verdict) => {
                cancel()
                resolve(verdict)
              },
              (error) => {
                cancel()
                reject(error)
              },
            )
          }),
      )
    },
    checkHealth: async () => {},
    close: () => {},
  }
}
