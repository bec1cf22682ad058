/**
 * How full the local filesystems are. statfs can take seconds on a failing disk, so it never runs inside a reading: a
 * round over all mounts starts every 15 s in the background, one mount after the other (at most one pool thread), and
 * a reading uses the latest result. A result older than 60 s is a gap: a disk that hangs must not look healthy.
 */
import { statfs } from 'node:fs/promises'
import type { HostReading } from '../host/host-reading.ts'
import { type Mount, parseMounts } from './mounts.ts'

const refreshMs = 15_000
const staleMs = 60_000

/** Bytes. */
export interface FilesystemSpace {
  readonly used: number
  readonly free: number
  /** Only root may use it. */
  readonly reserved: number
}

export interface FilesystemsDeps {
  /** Text of /proc/self/mountinfo, null if there is none. */
  readonly mountinfo: () => string | null
  /** Rejects, or never settles, for a mount that cannot be read. */
  readonly spaceOf: (mountpoint: string) => Promise<FilesystemSpace>
  readonly monotonicMs: () => number
}

export class Filesystems {
  readonly #deps: FilesystemsDeps
  #found: readonly { mount: Mount; space: FilesystemSpace; atMs: number }[] = []
  #round: Promise<void> | undefined
  #roundAtMs = Number.NEGATIVE_INFINITY

  constructor(deps: FilesystemsDeps) {
    this.#deps = deps
  }

  read(reading: HostReading): void {
    const nowMs = this.#deps.monotonicMs()
    if (this.#round === undefined && nowMs - this.#roundAtMs >= refreshMs) {
      this.#roundAtMs = nowMs
      this.#round = this.#refresh().finally(() => {
        this.#round = undefined
      })
    }
    for (const { mount, space, atMs } of this.#found) if (nowMs - atMs < staleMs) readSpace(mount, space, reading)
  }

  /** Resolves when no round is in progress. */
  async settled(): Promise<void> {
    await this.#round
  }

  async #refresh(): Promise<void> {
    const found: { mount: Mount; space: FilesystemSpace; atMs: number }[] = []
    for (const mount of parseMounts(this.#deps.mountinfo() ?? '')) {
      try {
        const space = await this.#deps.spaceOf(mount.mountpoint)
        if (space.used + space.free > 0) found.push({ mount, space, atMs: this.#deps.monotonicMs() })
      } catch {
        // Unmounted meanwhile, or not ours to see: a gap for this one.
      }
    }
    this.#found = found
  }
}

function readSpace(mount: Mount, space: FilesystemSpace, reading: HostReading): void {
  const labelValues = [mount.device, mount.mountpoint, mount.type]
  reading.level('system.filesystem.usage', [...labelValues, 'used'], space.used)
  reading.level('system.filesystem.usage', [...labelValues, 'free'], space.free)
  reading.level('system.filesystem.usage', [...labelValues, 'reserved'], space.reserved)
  reading.level('system.filesystem.utilization', [...labelValues, 'used'], space.used / (space.used + space.free))
}

/** By statfs(2): `bavail` is what anybody may use, `bfree` includes root's reserve. */
export async function spaceOf(mountpoint: string): Promise<FilesystemSpace> {
  const { bsize, blocks, bfree, bavail } = await statfs(mountpoint)
  return { used: (blocks - bfree) * bsize, free: bavail * bsize, reserved: Math.max(0, bfree - bavail) * bsize }
}
