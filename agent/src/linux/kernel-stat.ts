/**
 * /proc/stat, /proc/loadavg, /proc/uptime and /proc/sys/fs/file-nr: CPU time by mode, and what the kernel counts as a
 * whole. CPU times are in ticks of 10 ms (USER_HZ); only their proportions are used. Layouts: proc_stat(5) and siblings.
 */
import type { HostReading } from '../host/host-reading.ts'
import { numberOf, numberOfLine, wordsOf } from './proc-text.ts'

export const cpuModes = ['user', 'nice', 'system', 'idle', 'iowait', 'interrupt', 'steal'] as const
/** Ticks in the order of cpuModes. */
export type CpuTicks = readonly number[]

/** Cores beyond this are left out: 7 series each. */
const coresMax = 128

export interface KernelStat {
  readonly all: CpuTicks | undefined
  /** By number of the core; numbers of cores that are offline are missing. */
  readonly cores: ReadonlyMap<string, CpuTicks>
  readonly coreCount: number
}

/** The cpu lines of /proc/stat. Those of single cores are parsed only if wanted: a big machine has 256 of them. */
export function parseKernelStat(text: string, options: { cores: boolean }): KernelStat {
  const cores = new Map<string, CpuTicks>()
  let all: CpuTicks | undefined
  let coreCount = 0
  for (let from = 0; text.startsWith('cpu', from); ) {
    const end = text.indexOf('\n', from)
    const next = end === -1 ? text.length : end
    const isCore = text[from + 3] !== ' '
    if (isCore) coreCount += 1
    if (!isCore || (options.cores && cores.size < coresMax)) {
      const [name = '', ...words] = wordsOf(text.slice(from, next))
      const ticks = ticksOf(words)
      if (ticks !== undefined && isCore) cores.set(name.slice(3), ticks)
      if (!isCore) all = ticks
    }
    from = next + 1
  }
  return { all, cores, coreCount }
}

/** Guest time (columns 9 and 10) is already in user and nice. Kernels before 2.6.11 have no steal. */
function ticksOf(words: readonly string[]): CpuTicks | undefined {
  const [user, nice, system, idle, iowait = 0, irq = 0, softirq = 0, steal = 0] = words.slice(0, 8).map(numberOf)
  if (user === undefined || nice === undefined || system === undefined || idle === undefined) return undefined
  return [user, nice, system, idle, iowait, irq + softirq, steal]
}

/** @param cores whether utilization of each core is wanted too. */
export function readKernelStat(text: string | null, cores: boolean, reading: HostReading): void {
  if (text === null) return
  const stat = parseKernelStat(text, { cores })
  if (stat.all !== undefined) reading.shares('system.cpu.utilization', partsOf(stat.all, []))
  for (const [core, ticks] of stat.cores) reading.shares('system.cpu.logical.utilization', partsOf(ticks, [core]))
  if (stat.coreCount > 0) reading.level('system.cpu.logical.count', [], stat.coreCount)
  reading.rate('system.linux.context_switches', [], numberOfLine(text, 'ctxt'))
  reading.rate('system.linux.interrupts', [], numberOfLine(text, 'intr'))
  reading.rate('system.process.created', [], numberOfLine(text, 'processes'))
}

function partsOf(ticks: CpuTicks, before: readonly string[]) {
  return cpuModes.map((mode, index) => ({ labelValues: [...before, mode], count: ticks[index] ?? 0 }))
}

export interface LoadAverage {
  readonly averages: readonly [number, number, number]
  readonly taskCount: number
}

/** `0.20 0.18 0.12 1/80 11206`: averages, running/all tasks, last pid. */
export function parseLoadAverage(text: string): LoadAverage | undefined {
  const [one, five, fifteen, tasks] = wordsOf(text)
  const averages = [numberOf(one), numberOf(five), numberOf(fifteen)]
  const taskCount = numberOf(tasks?.split('/')[1])
  const [a, b, c] = averages
  if (a === undefined || b === undefined || c === undefined || taskCount === undefined) return undefined
  return { averages: [a, b, c], taskCount }
}

/** The texts of /proc/loadavg and /proc/stat. */
export function readLoad(texts: { loadavg: string | null; stat: string | null }, reading: HostReading): void {
  const { loadavg, stat } = texts
  const load = loadavg === null ? undefined : parseLoadAverage(loadavg)
  if (load === undefined) return
  reading.level('system.cpu.load_average.1m', [], load.averages[0])
  reading.level('system.cpu.load_average.5m', [], load.averages[1])
  reading.level('system.cpu.load_average.15m', [], load.averages[2])
  const running = stat === null ? undefined : numberOfLine(stat, 'procs_running')
  const blocked = stat === null ? undefined : numberOfLine(stat, 'procs_blocked')
  if (running === undefined || blocked === undefined) return
  reading.level('system.process.count', ['running'], running)
  reading.level('system.process.count', ['blocked'], blocked)
  // Two files, two instants: the difference may be a few tasks off, and must not be negative.
  reading.level('system.process.count', ['sleeping'], Math.max(0, load.taskCount - running - blocked))
}

export function readUptime(text: string | null, reading: HostReading): void {
  if (text !== null) reading.level('system.uptime', [], numberOf(wordsOf(text)[0]))
}

/** `1504 0 9223372036854775807`: open, unused (always 0 since 2.6), limit. */
export function readFileDescriptors(text: string | null, reading: HostReading): void {
  if (text === null) return
  const [open, unused, limit] = wordsOf(text).map(numberOf)
  if (open === undefined || unused === undefined) return
  reading.level('system.linux.file_descriptor.count', [], open - unused)
  if (limit !== undefined && limit <= Number.MAX_SAFE_INTEGER) {
    reading.level('system.linux.file_descriptor.limit', [], limit)
  }
}
