/**
 * /proc/meminfo and /proc/vmstat: memory, swap and paging. meminfo's "kB" are KiB. Layouts: proc_meminfo(5),
 * proc_vmstat(5).
 */
import type { HostReading } from '../host/host-reading.ts'
import { numberOfLine } from './proc-text.ts'

/** Bytes. */
export interface Memory {
  readonly limit: number
  readonly used: number
  readonly free: number
  readonly cached: number
  readonly buffers: number
  readonly available: number
  readonly shared: number | undefined
  readonly slabReclaimable: number | undefined
  readonly slabUnreclaimable: number | undefined
  readonly swapLimit: number
  readonly swapFree: number
}

export function parseMemory(text: string): Memory | undefined {
  const bytesOf = (label: string): number | undefined => {
    const kib = numberOfLine(text, `${label}:`)
    return kib === undefined ? undefined : kib * 1024
  }
  const limit = bytesOf('MemTotal')
  const free = bytesOf('MemFree')
  if (limit === undefined || free === undefined) return undefined
  const cached = bytesOf('Cached') ?? 0
  const buffers = bytesOf('Buffers') ?? 0
  // Kernels before 3.14 have no MemAvailable; this is what `free` made of it then.
  const available = bytesOf('MemAvailable') ?? free + cached + buffers
  return {
    limit,
    used: Math.max(0, limit - available),
    free,
    cached,
    buffers,
    available,
    shared: bytesOf('Shmem'),
    slabReclaimable: bytesOf('SReclaimable'),
    slabUnreclaimable: bytesOf('SUnreclaim'),
    swapLimit: bytesOf('SwapTotal') ?? 0,
    swapFree: bytesOf('SwapFree') ?? 0,
  }
}

export function readMemory(text: string | null, reading: HostReading): void {
  const memory = text === null ? undefined : parseMemory(text)
  if (memory === undefined) return
  reading.level('system.memory.usage', ['used'], memory.used)
  reading.level('system.memory.usage', ['free'], memory.free)
  reading.level('system.memory.usage', ['cached'], memory.cached)
  reading.level('system.memory.usage', ['buffers'], memory.buffers)
  reading.level('system.memory.utilization', ['used'], memory.used / memory.limit)
  reading.level('system.memory.limit', [], memory.limit)
  reading.level('system.memory.linux.available', [], memory.available)
  reading.level('system.memory.linux.shared', [], memory.shared)
  reading.level('system.memory.linux.slab.usage', ['reclaimable'], memory.slabReclaimable)
  reading.level('system.memory.linux.slab.usage', ['unreclaimable'], memory.slabUnreclaimable)
  if (memory.swapLimit === 0) return
  const swapUsed = Math.max(0, memory.swapLimit - memory.swapFree)
  reading.level('system.paging.usage', ['used'], swapUsed)
  reading.level('system.paging.usage', ['free'], memory.swapFree)
  reading.level('system.paging.utilization', ['used'], swapUsed / memory.swapLimit)
}

export function readPaging(text: string | null, reading: HostReading): void {
  if (text === null) return
  const all = numberOfLine(text, 'pgfault')
  const major = numberOfLine(text, 'pgmajfault')
  if (all !== undefined && major !== undefined) {
    reading.rate('system.paging.faults', ['minor'], all - major)
    reading.rate('system.paging.faults', ['major'], major)
  }
  reading.rate('system.paging.operations', ['in'], numberOfLine(text, 'pswpin'))
  reading.rate('system.paging.operations', ['out'], numberOfLine(text, 'pswpout'))
}
