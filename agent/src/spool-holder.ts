/**
 * The spool of a running agent: opened at start, or later when its folder could not be had then. Until it is open batches are
 * in memory only. A folder that another agent has ends the start: two must not send each other's samples. Durations in ms.
 */
import { resolve } from 'node:path'
import type { Clock } from '@minutely/lib/clock'
import { prefix } from '@minutely/lib/config'
import type { Logger } from '@minutely/lib/logging'
import { FolderInUseError } from '@minutely/lib/postgres/data-folder-lock'
import type { Registry } from 'prom-client'
import type { BatchQueue } from './batch-queue.ts'
import { type AgentSpoolConfig, agentSpoolSettings } from './config.ts'
import type { HostSample } from './host-metrics.ts'
import { createSpoolMetrics } from './metrics.ts'
import { Spool } from './spool.ts'
import { openSpoolFolder, type SpoolFolder } from './spool-files.ts'

const openRetryMs = 60_000
const setting = prefix + agentSpoolSettings.spoolDir.name

export interface SpoolHolderDeps {
  readonly serverId: string
  readonly queue: BatchQueue
  readonly log: Logger
  readonly clock: Clock
  readonly registry: Registry
  readonly monotonicMs: () => number
}

export interface SpoolHolder {
  /** @throws FolderInUseError */
  open(): Promise<void>
  /** A second's samples, to disk at once, if there is one that takes them. */
  journal(secondMs: number, samples: readonly HostSample[]): void
  /** Why samples are in memory only at present, for a person. */
  trouble(): string | null
  /** What is there and what may be; undefined while samples are in memory only. */
  room(): { bytes: number; bytesMax: number; ageMsMax: number } | undefined
  close(): Promise<void>
}

export function createSpoolHolder(config: AgentSpoolConfig, deps: SpoolHolderDeps): SpoolHolder {
  const { serverId, queue, log, clock, registry, monotonicMs } = deps
  const dir = resolve(config.spoolDir)
  const metrics = createSpoolMetrics(registry, {
    spool: () => ({ bytes: 0, batches: 0, ...spool?.load, isWritable: trouble() === null }),
  })
  let folder: SpoolFolder | undefined
  let spool: Spool | undefined
  let failure: string | null = 'the spool is not open'
  let cancelRetry = (): void => {}
  let opening = Promise.resolve()
  let isClosed = false

  const trouble = (): string | null => failure ?? spool?.trouble ?? null

  async function tryToOpen(): Promise<void> {
    const opened = await openSpoolFolder(dir, { setting })
    try {
      const nowMs = (): number => clock.nowMs()
      spool = new Spool({ ...config, serverId }, { files: opened, log, metrics, nowMs, monotonicMs })
    } catch (error) {
      await opened.release()
      throw error
    }
    folder = opened
    failure = null
    const samples = queue.attach(spool, { nowMs: () => clock.nowMs() })
    metrics.samplesRecovered.inc(samples)
    log.info({ dir, samples }, samples > 0 ? 'samples of an earlier run are sent after new ones' : 'the spool is open')
  }

  function failed(error: Error): void {
    const isNews = failure !== error.message
    failure = error.message
    metrics.failures.inc()
    log[isNews ? 'warn' : 'debug'](
      `${error.message}; samples are in memory only, trying again in ${openRetryMs / 1000} s`,
    )
    if (isClosed) return
    cancelRetry = clock.schedule(openRetryMs, () => {
      opening = tryToOpen().catch(failed)
    })
  }

  return {
    async open() {
      isClosed = false
      await tryToOpen().catch((error: Error) => {
        if (error instanceof FolderInUseError) throw error
        failed(error)
      })
    },
    journal: (secondMs, samples) => spool?.journal(secondMs, samples),
    trouble,
    room() {
      if (spool === undefined || trouble() !== null) return undefined
      return { bytes: spool.load.bytes, bytesMax: config.spoolBytesMax, ageMsMax: config.spoolAgeMsMax }
    },
    async close() {
      isClosed = true
      cancelRetry()
      await opening
      await spool?.settled()
      await folder?.release()
      folder = undefined
    },
  }
}
