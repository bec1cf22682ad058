/**
 * Reads the machine once: the port between the agent and the operating system, and the choice of its implementation.
 *
 * Linux is read from /proc (linux/linux-host.ts); macOS, Windows and the rest through systeminformation (portable-host.ts).
 * Both give the same metric names (host/host-metric-catalogue.ts) and pass the same suite (host/host-reader-contract.ts).
 */
import type { Logger } from '@minutely/lib/logging'
import type { SeriesRef } from '@minutely/schema/series-identity'
import type { HostConfig } from './config.ts'

export interface HostSample {
  readonly series: SeriesRef
  /** Finite, a decimal with at most 4 fractional digits. */
  readonly value: number
}

/**
 * Called about once a second and never concurrently. A series appears at most once in a reading; one that has no value
 * now (a first count, a device that is gone) is absent. Rates cover the time since the reading before.
 */
export interface HostReader {
  read(): Promise<HostSample[]> | HostSample[]
  /** Resolves when nothing runs in the background: statfs, child processes. May take as long as a broken disk takes. */
  settled(): Promise<void>
  /** Releases open files; nothing new is started in the background. */
  close(): void
}

export interface HostReaderDeps {
  readonly log: Logger
  /** Never goes backwards, unlike the wall clock; rates are measured with it. */
  readonly monotonicMs: () => number
}

/** The reader of this platform. Imported on demand: systeminformation is 780 kB that Linux never needs. */
export async function createHostReader(config: HostConfig, deps: HostReaderDeps): Promise<HostReader> {
  if (process.platform === 'linux') {
    const { createLinuxHost } = await import('./linux/linux-host.ts')
    return createLinuxHost(config, deps)
  }
  const { createPortableHost } = await import('./host/portable-host.ts')
  return createPortableHost(config, deps)
}
