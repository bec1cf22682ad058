/**
 * One run of one contestant, from empty storage to stopped:
 *
 *   start ── warm-up ──┬── the measured batches ── all is where it belongs ──┬── check ── stop ──┐
 *                      └────────────────── CPU by process ──────────────────┘          └─ counts ┘
 *
 * Without a warm-up the whole life after the start counts, so also closing the last minutes and stopping. With one it is a piece of
 * a steady life: as many minutes are closed in it as are sent.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { endedChildrenCpuS } from '../process-cost.ts'
import type { BenchProcess } from '../topics/bench-process.ts'
import type { Contestant, Finding, Running, WrittenProfile } from './contestant.ts'
import { MemoryWatch, type PeakMemory } from './memory-watch.ts'
import type { DiskPart } from './postgres-look.ts'
import { cpuBetween, type NamedCpu, type ProcessTree, readTree, totalS } from './process-tree.ts'
import { batchCount, cellMs, type SendPlan } from './send-plan.ts'
import type { SendFigures } from './sender-contract.ts'
import { type ThreadTimes, threadTimes } from './thread-times.ts'

/** Of the fleet's time, half-open, whole minutes. */
export interface Interval {
  readonly fromMs: number
  readonly toMs: number
}

export interface RunFigures {
  readonly samples: number
  /** Largest first; their sum is the total. */
  readonly cpu: readonly NamedCpu[]
  readonly totalCpuS: number
  readonly memory: readonly PeakMemory[]
  readonly disk: readonly DiskPart[]
  readonly send: SendFigures
  readonly finding: Finding
}

export interface RunOptions {
  readonly plan: SendPlan
  readonly speed: number
  /** Of 15 s, not measured. */
  readonly warmUpCells: number
  /** For the storage; removed in the end. */
  readonly folder: string
  /** Where CPU profiles go, if they are wanted. */
  readonly profileFolder?: string
}

export interface RunDeps {
  readonly sender: BenchProcess
  /** Called when all is up, before the first batch; e.g. to watch it. @returns what ends that. */
  readonly onRunning?: (running: Running) => () => void
  readonly onProfiled?: (run: ProfiledRun) => Promise<void>
}

export interface ProfiledRun {
  readonly profiles: readonly WrittenProfile[]
  readonly before: ProcessTree
  readonly after: ProcessTree
  /** Of the profiled processes, by pid. */
  readonly threads: ReadonlyMap<number, { readonly before: ThreadTimes; readonly after: ThreadTimes }>
}

export async function measureRun(contestant: Contestant, options: RunOptions, deps: RunDeps): Promise<RunFigures> {
  const { plan, speed, folder, profileFolder } = options
  await mkdir(folder, { recursive: true })
  const endedBeforeS = endedChildrenCpuS()
  const running = await contestant.start({ folder, plan, speed, isProfiled: profileFolder !== undefined })
  let isStopped = false
  const watch = new MemoryWatch(() => readTree(running.roots))
  const unwatch = deps.onRunning?.(running)
  try {
    watch.start()
    const { before, after, send } = await runLoad(running, { contestant, options, deps })
    const finding = await running.check({ fromMs: plan.startMs, toMs: plan.startMs + plan.cellCount * cellMs })
    const diskWhileUp = await running.disk()
    const memory = watch.stop()
    const checked = readTree(running.roots)
    isStopped = true
    await running.stop()
    // Whatever of its life is not in the last look was spent while it stopped.
    const stopS = options.warmUpCells > 0 ? 0 : endedChildrenCpuS() - endedBeforeS - totalS(checked)
    const cpu = [...cpuBetween(before, after), ...(stopS > 0 ? [{ name: 'while it stops', cpuS: stopS }] : [])]
    return {
      samples:
        (batchCount(plan) / plan.cellCount) *
        (plan.cellCount - options.warmUpCells) *
        plan.metricCount *
        (cellMs / 1_000),
      cpu,
      totalCpuS: cpu.reduce((sum, { cpuS }) => sum + cpuS, 0),
      memory,
      disk: diskWhileUp ?? [{ name: 'storage', bytes: await bytesBelow(join(folder, 'storage')), isBounded: false }],
      send,
      finding,
    }
  } finally {
    watch.stop()
    unwatch?.()
    if (!isStopped) await running.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function runLoad(
  running: Running,
  { contestant, options, deps }: { contestant: Contestant; options: RunOptions; deps: RunDeps },
): Promise<{ before: ProcessTree; after: ProcessTree; send: SendFigures }> {
  const { plan, warmUpCells, profileFolder } = options
  const order = { url: running.url, format: contestant.format, time: running.time }
  const fromIndex = warmUpCells * plan.hostCount
  if (fromIndex > 0) await deps.sender.ask('send', { ...order, fromIndex: 0, toIndex: fromIndex })
  if (profileFolder !== undefined) await running.startProfile()
  const threadsBefore = threadsOf(running, profileFolder)
  const before = readTree(running.roots, await running.backends())
  const send = await deps.sender.ask<SendFigures>('send', { ...order, fromIndex, toIndex: batchCount(plan) })
  const interval = { fromMs: plan.startMs, toMs: plan.startMs + plan.cellCount * cellMs }
  if (warmUpCells === 0) await running.settle(interval)
  const after = readTree(running.roots, await running.backends())
  if (profileFolder !== undefined) {
    const threadsAfter = threadsOf(running, profileFolder)
    const threads = new Map(
      [...threadsAfter].map(([pid, times]) => [pid, { before: threadsBefore.get(pid) ?? new Map(), after: times }]),
    )
    await mkdir(profileFolder, { recursive: true })
    await deps.onProfiled?.({ profiles: await running.stopProfile(profileFolder), before, after, threads })
  }
  if (warmUpCells > 0) await running.settle(interval)
  return { before, after, send }
}

function threadsOf({ profiled }: Running, profileFolder: string | undefined): Map<number, ThreadTimes> {
  return new Map(profileFolder === undefined ? [] : profiled.map((pid) => [pid, threadTimes(pid)]))
}

/** As the disk has it, in blocks. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).blocks * 512),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
