/**
 * Calls the host reader once in every second of the wall clock. Instants are ms since the epoch.
 *
 * A sample belongs to the second in which its reading began. A second in which no reading began, because the event loop
 * or the machine stood still, or because the reading before is still going on, is a gap: nothing is made up for it.
 *
 * No second is sampled twice. If the wall clock steps back by up to 5 min, the seconds it repeats are left out. If it
 * steps back further, it had been so far ahead that the collector refused what was sent then ("more than 5 min in the
 * future"), and those seconds are sampled as if for the first time.
 */
import type { Clock } from '@minutely/lib/clock'
import type { Logger } from '@minutely/lib/logging'
import type { HostReader, HostSample } from './host-metrics.ts'
import type { AgentMetrics } from './metrics.ts'

const secondMs = 1000
/** Timers may fire a little before their time by the wall clock: 1 ms in Node, more while NTP slews. */
const earlyMsMax = 20
const stepBackMsMax = 300_000

export interface SamplerDeps {
  readonly reader: HostReader
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: AgentMetrics
  readonly onReading: (secondMs: number, samples: readonly HostSample[]) => void
}

export interface Sampler {
  start(): void
  /** Resolves when no reading is going on any more. */
  stop(): Promise<void>
}

export function createSampler(deps: SamplerDeps): Sampler {
  const { reader, clock, log, metrics, onReading } = deps
  let lastMs = Number.NEGATIVE_INFINITY
  let cancel = (): void => {}
  let reading: Promise<void> | undefined
  let isStopped = false

  function scheduleNext(): void {
    const nextMs = secondOf(clock.nowMs()) + secondMs
    cancel = clock.schedule(nextMs - clock.nowMs(), tick)
  }

  function tick(): void {
    scheduleNext()
    const second = secondOf(clock.nowMs())
    if (!mayBeSampled(second, { lastMs }) || reading !== undefined) return
    const skipped = (second - lastMs) / secondMs - 1
    if (skipped > 0 && Number.isFinite(skipped)) metrics.secondsSkipped.inc(skipped)
    lastMs = second
    reading = read(second).finally(() => {
      reading = undefined
    })
  }

  async function read(second: number): Promise<void> {
    try {
      const answer = reader.read()
      const samples = answer instanceof Promise ? await answer : answer
      metrics.samplesRead.inc(samples.length)
      onReading(second, samples)
    } catch (error) {
      metrics.readFailures.inc()
      log.warn({ err: error }, 'the host could not be read; this second is a gap')
    }
  }

  return {
    start() {
      if (!isStopped) scheduleNext()
    },
    async stop() {
      isStopped = true
      cancel()
      await reading
    },
  }
}

/** The whole second an instant belongs to. */
export function secondOf(instantMs: number): number {
  return Math.floor((instantMs + earlyMsMax) / secondMs) * secondMs
}

/** Whether a second may be sampled after the one at lastMs was. */
export function mayBeSampled(second: number, { lastMs }: { lastMs: number }): boolean {
  return second > lastMs || second < lastMs - stepBackMsMax
}
