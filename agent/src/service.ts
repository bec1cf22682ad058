/**
 * The agent as one long-lived thing: reads the host every second, cuts a batch every 15 s, ships it. It talks to the
 * collector over HTTP only, also when both are in one process. With a spool each second is on disk as soon as it was read;
 * without one (the one process: its collector is gone when it is) all is in memory.
 *
 * stop() ends within 5 s: no further reading, one last request (3 s) for what was sampled, nothing left running.
 */
import { resolve } from 'node:path'
import type { Clock } from '@minutely/lib/clock'
import type { ReadinessCheck } from '@minutely/lib/http-server'
import type { Service } from '@minutely/lib/lifecycle'
import type { Logger } from '@minutely/lib/logging'
import type { Registry } from 'prom-client'
import { roomText } from './backlog-report.ts'
import { SampleBatcher } from './batch.ts'
import { BatchQueue } from './batch-queue.ts'
import { createCollectorClient } from './collector-client.ts'
import { probeCollector } from './collector-probe.ts'
import type { AgentConfig, AgentSpoolConfig } from './config.ts'
import { flushPhaseMs, nextFlushMs } from './flush-grid.ts'
import { createHostReader, type HostReader } from './host-metrics.ts'
import { createAgentMetrics } from './metrics.ts'
import { createSampler, type Sampler } from './sampler.ts'
import { createShipper, type Shipper } from './ship.ts'
import { createSpoolHolder } from './spool-holder.ts'

/** Child processes of a reading end within this; with the last request's 3 s a stop stays below 5 s. */
const settleTimeoutMs = 1000

export interface AgentDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly registry: Registry
  /** Asked at start; instead of config.collectorUrl, for a process that learns its own port by listening. */
  readonly collectorUrl?: () => string
  readonly hostReader?: HostReader
  /** Never goes backwards; by default the process' own monotonic clock. */
  readonly monotonicMs?: () => number
  /** In [0, 1), for the jitter. */
  readonly random?: () => number
}

export interface AgentServiceConfig extends AgentConfig {
  /** Absent: what waits is in memory only. */
  readonly spool?: AgentSpoolConfig
}

export interface Agent extends Service {
  /** Not ready: all goes on, but what waits would not survive a restart. */
  readonly readiness: ReadinessCheck
  /** For /readyz: what waits for the collector, and the room that is left for more. */
  readonly waiting: () => { samples: number; oldestMs: number; room: string }
}

export function createAgent(config: AgentServiceConfig, deps: AgentDeps): Agent {
  const { log, clock, registry, monotonicMs = () => performance.now(), random = Math.random } = deps
  const metrics = createAgentMetrics(registry, { queue: () => queue.load })
  const queue = new BatchQueue(config, {
    monotonicMs,
    onDrop: ({ sampleCount }, reason) => metrics.samplesDropped.inc({ reason }, sampleCount),
  })
  const { serverId } = config
  const spool = config.spool && createSpoolHolder(config.spool, { serverId, queue, log, clock, registry, monotonicMs })
  const spoolDir = config.spool && resolve(config.spool.spoolDir)
  const batcher = new SampleBatcher()
  const phaseMs = flushPhaseMs(serverId)
  let parts: { reader: HostReader; sampler: Sampler; shipper: Shipper } | undefined
  let cancelFlush = (): void => {}
  let stopping = new AbortController()
  let probed = Promise.resolve()

  /** Of the spool, unless samples are in memory only at present. */
  function room(): string {
    const inSpool = spool?.room()
    if (inSpool !== undefined) return roomText({ ...inSpool, where: `in ${spoolDir}` })
    const { queueBytesMax: bytesMax, queueAgeMaxMs: ageMsMax } = config
    return roomText({ bytes: queue.load.bytes, bytesMax, ageMsMax, where: 'in memory' })
  }

  function scheduleFlush(shipper: Shipper): void {
    const nowMs = clock.nowMs()
    cancelFlush = clock.schedule(nextFlushMs(nowMs, { phaseMs }) - nowMs, () => {
      shipper.ship(batcher.takeEnded(clock.nowMs()))
      scheduleFlush(shipper)
    })
  }

  return {
    name: 'agent',
    readiness: () => spool?.trouble() ?? null,
    waiting: () => {
      const { samples, oldestMs } = queue.waiting
      return { samples, oldestMs: Math.round(oldestMs), room: room() }
    },
    async start() {
      await spool?.open()
      const collectorUrl = deps.collectorUrl?.() ?? config.collectorUrl
      const reader = deps.hostReader ?? (await createHostReader(config, { log, monotonicMs }))
      const client = createCollectorClient(collectorUrl, { clock })
      const shipDeps = { serverId, queue, client, clock, log, metrics, random, monotonicMs, room, spoolDir }
      const shipper = createShipper(config, shipDeps)
      const sampler = createSampler({
        reader,
        clock,
        log,
        metrics,
        onReading: (secondMs, samples) => {
          spool?.journal(secondMs, samples)
          const refused = batcher.add(secondMs, samples)
          if (refused > 0) metrics.samplesDropped.inc({ reason: 'batch-series' }, refused)
        },
      })
      parts = { reader, sampler, shipper }
      sampler.start()
      scheduleFlush(shipper)
      log.info({ serverId, collectorUrl, phaseMs }, 'reading this host every second')
      stopping = new AbortController()
      // A process needs not ask whether it answers itself.
      if (deps.collectorUrl === undefined)
        probed = probeCollector(client, { collectorUrl, log, signal: stopping.signal })
    },
    async stop() {
      if (parts === undefined) return spool?.close()
      const { reader, sampler, shipper } = parts
      parts = undefined
      cancelFlush()
      stopping.abort()
      await probed
      await sampler.stop()
      shipper.ship(batcher.takeAll())
      await shipper.stop()
      await spool?.close()
      reader.close()
      // A statfs that hangs cannot be called back; it holds a pool thread, nothing else.
      const waited = new AbortController()
      await Promise.race([reader.settled(), clock.sleep(settleTimeoutMs, waited.signal)])
      waited.abort()
    },
  }
}
