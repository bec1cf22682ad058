/**
 * CPU time of a process by kind of thread, from /proc (Linux only): a profile sees the main thread only. Node names its threads; those
 * of the profiler are nobody's cost.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { parseStat } from './process-tree.ts'

export type ThreadTimes = ReadonlyMap<string, number>

export const mainThread = 'main thread'
const kinds: readonly (readonly [RegExp, string | undefined])[] = [
  [/^(v8:ProfEvntProc|SignalInspector)/, undefined],
  [/^(V8Worker|DelayedTaskSche)/, 'other threads: garbage collection, compiler'],
  [/^libuv-worker/, 'other threads: thread pool'],
]

/** By kind, s. */
export function threadTimes(pid: number): ThreadTimes {
  const sums = new Map<string, number>()
  for (const entry of readdirSync(`/proc/${pid}/task`)) {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${entry}/stat`, 'latin1')
      const kind = kindOf(Number(entry) === pid, stat)
      const { ownS } = parseStat(Number(entry), { stat, name: '' })
      if (kind !== undefined) sums.set(kind, (sums.get(kind) ?? 0) + ownS)
    } catch {
      // It ended while we looked.
    }
  }
  return sums
}

function kindOf(isMain: boolean, stat: string): string | undefined {
  if (isMain) return mainThread
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
  const found = kinds.find(([pattern]) => pattern.test(name))
  return found === undefined ? 'other threads: the rest' : found[1]
}

export function threadsBetween(before: ThreadTimes, after: ThreadTimes): Map<string, number> {
  return new Map([...after].map(([kind, cpuS]) => [kind, cpuS - (before.get(kind) ?? 0)]))
}
