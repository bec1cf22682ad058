/**
 * Peak memory of processes, from /proc (Linux only). A process that has its memory for itself has its own high-water mark. Postgres'
 * processes share most of theirs, so theirs is the largest sum of proportional shares (PSS) among looks a second apart.
 */
import { readFileSync } from 'node:fs'
import type { ProcessTree } from './process-tree.ts'

const everyMs = 1_000

export interface PeakMemory {
  readonly name: string
  readonly peakBytes: number
}

export class MemoryWatch {
  readonly #look: () => ProcessTree
  readonly #peaks = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(look: () => ProcessTree) {
    this.#look = look
  }

  start(): void {
    this.#timer = setInterval(() => this.#observe(), everyMs)
  }

  stop(): PeakMemory[] {
    clearInterval(this.#timer)
    this.#observe()
    return [...this.#peaks].map(([name, peakBytes]) => ({ name, peakBytes })).sort((a, b) => b.peakBytes - a.peakBytes)
  }

  #observe(): void {
    const now = new Map<string, number>()
    for (const { pid, name } of this.#look().values()) {
      const isPostgres = name.startsWith('Postgres')
      const key = isPostgres ? 'Postgres' : name
      now.set(key, (now.get(key) ?? 0) + (isPostgres ? sharedBytes(pid) : highWaterBytes(pid)))
    }
    for (const [name, bytes] of now) this.#peaks.set(name, Math.max(bytes, this.#peaks.get(name) ?? 0))
  }
}

function sharedBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m)
}

function highWaterBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/status`, /^VmHWM:\s+(\d+) kB/m)
}

/** 0 when it ended while we looked. */
function kibibytes(file: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(file, 'latin1'))?.[1] ?? 0) * 1_024
  } catch {
    return 0
  }
}
