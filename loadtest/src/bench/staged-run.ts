/**
 * A run with a CPU profile: what each stage of our processes costs. The profile divides the main thread's CPU time, which the kernel
 * counted, so that a busy machine does not distort it; other threads and other programs are rows of their own. The profile itself makes
 * the run dearer; totals come from runs without one.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchProcess } from '../topics/bench-process.ts'
import type { StageCpu } from './bench-report.ts'
import type { Contestant } from './contestant.ts'
import { type CpuProfile, stageShares } from './cpu-stages.ts'
import { measureRun, type ProfiledRun, type RunOptions } from './measured-run.ts'
import { cpuBetween } from './process-tree.ts'
import { mainThread, threadsBetween } from './thread-times.ts'

export interface StagedOptions extends RunOptions {
  /** Where the profiles stay; undefined: nowhere. */
  readonly keptFolder: string | undefined
}

export async function stagesOfRun(
  contestant: Contestant,
  { keptFolder, ...options }: StagedOptions,
  { sender, say }: { sender: BenchProcess; say: (text: string) => void },
): Promise<StageCpu[]> {
  say(`once more with a CPU profile: ${contestant.name}`)
  const profileFolder = keptFolder ?? join(options.folder, 'profiles')
  let stages: StageCpu[] = []
  const onProfiled = async (run: ProfiledRun): Promise<void> => {
    stages = await stagesOf(run)
  }
  await mkdir(profileFolder, { recursive: true })
  await measureRun(contestant, { ...options, profileFolder }, { sender, onProfiled })
  return stages
}

async function stagesOf({ profiles, before, after, threads }: ProfiledRun): Promise<StageCpu[]> {
  const sums = new Map<string, number>()
  const add = (name: string, cpuS: number): void => void sums.set(name, (sums.get(name) ?? 0) + cpuS)
  for (const { name, pid, file } of profiles) {
    const prefix = profiles.every((other) => other.name === name) ? '' : `${name}: `
    const { before: old = new Map(), after: now = new Map() } = threads.get(pid) ?? {}
    const byThread = threadsBetween(old, now)
    const profile = JSON.parse(await readFile(file, 'utf8')) as CpuProfile
    for (const { stage, share } of stageShares(profile)) add(prefix + stage, share * (byThread.get(mainThread) ?? 0))
    for (const [kind, cpuS] of byThread) if (kind !== mainThread) add(prefix + kind, cpuS)
  }
  const profiled = new Set(profiles.map(({ name }) => name))
  for (const { name, cpuS } of cpuBetween(before, after)) if (!profiled.has(name)) add(name, cpuS)
  return [...sums].map(([name, cpuS]) => ({ name, cpuS }))
}
