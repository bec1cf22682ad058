/**
 * The files of a spool in memory, with the faults of a disk and of a process that is killed, drawn from a seed. What was
 * appended before a crash is still there after it, as in the page cache; of the append in which it happens, any part.
 */
import type { SpoolFiles } from './spool-files.ts'

/** The process was killed here. Whoever simulates it starts the next one. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash'
}

export interface SimulatedSpoolFiles extends SpoolFiles {
  /** The process is killed in the n-th operation from now that changes something. */
  crashIn(operations: number): void
  /** How likely each operation fails, in [0, 1]. */
  failing: number
  /** All files together; an append that needs more fails with ENOSPC, a part of it written. */
  capacityBytes: number
  readonly bytes: number
  /** Of one read, so far. */
  readonly readBytesMax: number
  /** Flips a bit. */
  damage(name: string, offset: number): void
  truncate(name: string, bytes: number): void
}

export function createSimulatedSpoolFiles(random: () => number): SimulatedSpoolFiles {
  const contents = new Map<string, Buffer>()
  let crashIn = Number.POSITIVE_INFINITY
  let readBytesMax = 0

  function mayFail(code: 'EIO' | 'ENOSPC', syscall: string): void {
    if (random() < files.failing) throw diskError(code, syscall)
  }

  /** True in the operation in which the process is killed. */
  function isLast(): boolean {
    crashIn -= 1
    return crashIn === 0
  }

  function write(name: string, bytes: Uint8Array): void {
    contents.set(name, Buffer.concat([contents.get(name) ?? Buffer.alloc(0), bytes]))
  }

  const files: SimulatedSpoolFiles = {
    failing: 0,
    capacityBytes: Number.POSITIVE_INFINITY,
    crashIn(operations) {
      crashIn = operations
    },
    get bytes() {
      return [...contents.values()].reduce((sum, { length }) => sum + length, 0)
    },
    get readBytesMax() {
      return readBytesMax
    },
    damage(name, offset) {
      const bytes = Buffer.from(contents.get(name) ?? Buffer.alloc(0))
      bytes[offset] = (bytes[offset] ?? 0) ^ 0x10
      contents.set(name, bytes)
    },
    truncate(name, bytes) {
      contents.set(name, (contents.get(name) ?? Buffer.alloc(0)).subarray(0, bytes))
    },
    list: () => [...contents].map(([name, { length }]) => ({ name, bytes: length })).sort(() => random() - 0.5),
    append(name, bytes) {
      const free = files.capacityBytes - files.bytes
      const isFull = bytes.length > free || random() < files.failing
      const isKilled = isLast()
      if (!isFull && !isKilled) return write(name, bytes)
      write(name, bytes.subarray(0, Math.min(free, Math.floor(random() * (bytes.length + 1)))))
      throw isKilled ? new SimulatedCrash() : diskError('ENOSPC', 'write')
    },
    read(name, { offset, length }) {
      mayFail('EIO', 'read')
      const bytes = contents.get(name)
      if (bytes === undefined) throw diskError('ENOENT', 'open')
      readBytesMax = Math.max(readBytesMax, length)
      return Buffer.from(bytes.subarray(offset, offset + length))
    },
    remove(name) {
      mayFail('EIO', 'unlink')
      const isKilled = isLast()
      if (!isKilled || random() < 0.5) contents.delete(name)
      if (isKilled) throw new SimulatedCrash()
    },
    async sync() {
      mayFail('EIO', 'fsync')
    },
  }
  return files
}

/** mulberry32 (public domain, Tommy Ettinger): small, and the same everywhere. In [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function diskError(code: 'EIO' | 'ENOSPC' | 'ENOENT', syscall: string): Error {
  const errno = { EIO: -5, ENOSPC: -28, ENOENT: -2 }[code]
  return Object.assign(new Error(`${code}: simulated, ${syscall}`), { code, errno, syscall })
}
