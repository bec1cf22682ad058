/**
 * The process that prepares and sends, so that neither counts as the server's: what it is asked over its channel, it does and says
 * what came of it. Batches leave when they are due (an open model), as long as fewer than `inFlightMax` are unanswered; `behindMs`
 * says how well that went. A batch that is refused is sent again until it is accepted, as agents do.
 *
 * Arguments: none. Latencies are of one attempt, from the first byte sent to the last byte answered, ms.
 */

import { Agent, request } from 'node:http'
import { zstdDecompressSync } from 'node:zlib'
import { decodeSampleBatch } from '@minutely/schema/sample-codec'
import { batchHeaders, GeneratedFleet } from '../generated-fleet.ts'
import { cpuSince, serve } from '../topics/bench-process.ts'
import { type BodyFile, readBodies, writeBodyFile } from './body-file.ts'
import { RemoteWriteBodies, remoteWriteHeaders } from './remote-write.ts'
import { batchAt, batchCount, type FleetTime, realDelayMs, type SendPlan } from './send-plan.ts'
import { percentile, type SendFigures, type SendOrder, type SendStatus, type WireFormat } from './sender-contract.ts'

/** The load on the machine, not the number of connections, should decide how many requests are under way. */
const inFlightMax = 128
const retryMs = 200
const headersOf: Readonly<Record<WireFormat, Record<string, string>>> = {
  avro: batchHeaders,
  'remote-write': remoteWriteHeaders,
}

const files = new Map<WireFormat, { readonly plan: SendPlan; readonly file: BodyFile }>()
let figures = newFigures(0)
let isGivenUp = false

serve({
  prepare: ({ plan, format, path }: { plan: SendPlan; format: WireFormat; path: string }) => {
    const fleet = new GeneratedFleet({ hostCount: plan.hostCount, metricCount: plan.metricCount, seed: 1 })
    const remote = new RemoteWriteBodies(fleet)
    const body = (index: number): Buffer => {
      const { host, startMs } = batchAt(plan, index)
      return format === 'avro' ? fleet.body(host, { startMs, sentAtMs: startMs }) : remote.body(host, startMs)
    }
    const file = writeBodyFile(path, { count: batchCount(plan), body })
    files.set(format, { plan, file })
    return { bytes: file.lengths.reduce((sum, length) => sum + length, 0) }
  },
  floor: async () => ({ cpuS: await measureFloor() }),
  send: (order: SendOrder) => send(order),
  giveUp: () => {
    isGivenUp = true
  },
  status: (): SendStatus => figures.status(),
})

function prepared(format: WireFormat): { readonly plan: SendPlan; readonly file: BodyFile } {
  const found = files.get(format)
  if (found === undefined) throw new Error(`BUG: no bodies of ${format} are prepared`)
  return found
}

/** CPU-seconds to decompress every body and read every value once: the least that any server must do. */
async function measureFloor(): Promise<number> {
  const before = process.cpuUsage()
  let sum = 0
  for await (const body of readBodies(prepared('avro').file)) {
    for (const { values } of decodeSampleBatch(zstdDecompressSync(body)).blocks) {
      for (const value of new Float64Array(new Uint8Array(values).buffer)) sum += value
    }
  }
  if (!Number.isFinite(sum)) throw new Error('BUG: the floor read something else')
  return cpuSince(before)
}

async function send({ url, format, time, fromIndex, toIndex }: SendOrder): Promise<SendFigures> {
  const { plan, file } = prepared(format)
  const agent = new Agent({ keepAlive: true, maxSockets: inFlightMax })
  figures = newFigures(fromIndex)
  const mine = figures
  const target = { url: new URL(url), agent, headers: headersOf[format] }
  const inFlight = new Set<Promise<void>>()
  /** A host sends one batch after the other; Prometheus refuses one that overtakes. */
  const lastOf = new Map<number, Promise<void>>()
  const startedMs = Date.now()
  let index = fromIndex
  for await (const body of readBodies(file, fromIndex)) {
    if (index === toIndex) break
    const { host, dueMs } = batchAt(plan, index)
    await untilDue(time, dueMs)
    if (inFlight.size >= inFlightMax) await Promise.race(inFlight)
    await lastOf.get(host)
    if (isGivenUp) throw new Error('given up')
    mine.sent(-realDelayMs(time, { dueMs, nowMs: Date.now() }))
    const sending = deliver(body, target, mine).finally(() => inFlight.delete(sending))
    lastOf.set(host, sending)
    inFlight.add(sending)
    index++
  }
  await Promise.all(inFlight)
  agent.destroy()
  return mine.all((Date.now() - startedMs) / 1_000)
}

async function untilDue(time: FleetTime, dueMs: number): Promise<void> {
  const waitMs = realDelayMs(time, { dueMs, nowMs: Date.now() })
  if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs))
}

interface Target {
  readonly url: URL
  readonly agent: Agent
  readonly headers: Record<string, string>
}

async function deliver(body: Buffer, target: Target, mine: ReturnType<typeof newFigures>): Promise<void> {
  for (;;) {
    const startedMs = performance.now()
    const status = await post(body, target)
    const isAccepted = status >= 200 && status < 300
    mine.answered({ status, isAccepted, latencyMs: performance.now() - startedMs })
    if (isAccepted) return
    if (status === 400 || status === 422) throw new Error(`a batch was refused for good: ${status}`)
    await new Promise((resolve) => setTimeout(resolve, retryMs * (1 + Math.random())))
  }
}

/** @returns the status; 0 when there was no answer. */
function post(body: Buffer, { url, agent, headers }: Target): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const options = { method: 'POST', agent, headers: { ...headers, 'content-length': String(body.length) } }
  const outgoing = request(url, options, (answer) => {
    answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    answer.on('error', () => resolve(0))
  })
  outgoing.on('error', () => resolve(0)).end(body)
  return promise
}

function newFigures(fromIndex: number) {
  const latenciesMs: number[] = []
  /** Since the last question about the status. */
  let recentMs: number[] = []
  let [sentCount, acceptedCount, behindMs, behindMsMax] = [0, 0, 0, 0]
  const refused: Record<string, number> = {}
  return {
    sent: (lateMs: number): void => {
      sentCount++
      behindMs = Math.max(0, lateMs)
      behindMsMax = Math.max(behindMsMax, behindMs)
    },
    answered: ({ status, isAccepted, latencyMs }: { status: number; isAccepted: boolean; latencyMs: number }): void => {
      latenciesMs.push(latencyMs)
      recentMs.push(latencyMs)
      if (isAccepted) acceptedCount++
      else refused[status] = (refused[status] ?? 0) + 1
    },
    giveUp: () => {
      isGivenUp = true
    },
    status: (): SendStatus => {
      const sorted = Float64Array.from(recentMs).sort()
      recentMs = []
      return {
        fromIndex,
        sentCount,
        acceptedCount,
        behindMs,
        p50Ms: percentile(sorted, 0.5),
        p99Ms: percentile(sorted, 0.99),
      }
    },
    all: (wallS: number): SendFigures => {
      const sorted = Float64Array.from(latenciesMs).sort()
      const [p50Ms, p99Ms] = [percentile(sorted, 0.5), percentile(sorted, 0.99)]
      return { wallS, acceptedCount, refused, p50Ms, p99Ms, behindMsMax }
    },
  }
}
