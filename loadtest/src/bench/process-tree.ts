/**
 * CPU time of a process and everything below it, each under a name, from /proc (Linux only). Postgres' processes by what they
 * are for: they call themselves `postgres: checkpointer` and the like; backends are named after the pool that they serve, which
 * only Postgres knows.
 *
 * Invariant: no CPU time is lost when a process ends. Its parent has it from then on, and it becomes `short-lived children`.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** The kernel's USER_HZ is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

export interface TreeProcess {
  readonly pid: number
  readonly parent: number
  readonly name: string
  /** User and system time of the process alone, s. */
  readonly ownS: number
  /** Of its children that have ended and were waited for, with all below them, s. */
  readonly endedS: number
}

export type ProcessTree = ReadonlyMap<number, TreeProcess>

export interface NamedCpu {
  readonly name: string
  readonly cpuS: number
}

/** Root processes by pid, with their names. */
export type Roots = ReadonlyMap<number, string>

/** `backends`: names of Postgres' backends by pid, as far as they are known. */
export function readTree(roots: Roots, backends: ReadonlyMap<number, string> = new Map()): ProcessTree {
  const all = new Map<number, TreeProcess>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const pid = Number(entry)
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      const title = readFileSync(`/proc/${entry}/cmdline`, 'utf8')
      all.set(pid, parseStat(pid, { stat, name: nameOf(title, backends.get(pid)) }))
    } catch {
      // It ended while we looked.
    }
  }
  return belowRoots(all, roots)
}

export function parseStat(pid: number, { stat, name }: { stat: string; name: string }): TreeProcess {
  // The name of the program, in brackets, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const at = (index: number): number => Number(fields[index])
  return {
    pid,
    parent: at(1),
    name,
    ownS: (at(11) + at(12)) / ticksPerSecond,
    endedS: (at(13) + at(14)) / ticksPerSecond,
  }
}

function belowRoots(all: ReadonlyMap<number, TreeProcess>, roots: Roots): ProcessTree {
  const tree = new Map<number, TreeProcess>()
  const pending = [...roots.keys()]
  for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
    const found = all.get(pid)
    if (found === undefined || tree.has(pid)) continue
    tree.set(pid, { ...found, name: roots.get(pid) ?? found.name })
    for (const { pid: child, parent } of all.values()) if (parent === pid) pending.push(child)
  }
  return tree
}

const postgresKinds: readonly (readonly [RegExp, string])[] = [
  [/^checkpointer/, 'Postgres checkpointer'],
  [/^background writer/, 'Postgres background writer'],
  [/^walwriter/, 'Postgres WAL writer'],
  [/^autovacuum/, 'Postgres autovacuum'],
  [/^(logical replication|io worker|startup|archiver|stats collector)/, 'Postgres other'],
]

/** `title`: its command line. @returns what it is for, e.g. `Postgres checkpointer`. */
export function nameOf(title: string, backend?: string): string {
  const [, work] = /^postgres: (?:[^\0]*?: )?([^\0]*)/.exec(title) ?? []
  const [program = ''] = title.split('\0')
  if (work === undefined)
    return /(^|\/)postgres$/.test(program) ? 'Postgres postmaster' : (program.split('/').at(-1) ?? '')
  if (backend !== undefined) return `Postgres backends: ${backend}`
  return postgresKinds.find(([pattern]) => pattern.test(work))?.[1] ?? 'Postgres backends: other'
}

/** All CPU time of a tree so far, that of processes that have ended included, s. */
export function totalS(tree: ProcessTree): number {
  return [...tree.values()].reduce((sum, { ownS, endedS }) => sum + ownS + endedS, 0)
}

/** CPU time between two looks by name, largest first. */
export function cpuBetween(before: ProcessTree, after: ProcessTree): NamedCpu[] {
  const byName = new Map<string, number>()
  const add = (name: string, cpuS: number): void => void byName.set(name, (byName.get(name) ?? 0) + cpuS)
  let ended = 0
  for (const { pid, name, ownS, endedS } of after.values()) {
    const old = before.get(pid)
    add(name, ownS - (old?.ownS ?? 0))
    ended += endedS - (old?.endedS ?? 0)
  }
  // What has ended since had used some before, which the parents' sums now hold, too.
  for (const { pid, ownS, endedS } of before.values()) if (!after.has(pid)) ended -= ownS + endedS
  if (ended > 0) add('short-lived children', ended)
  return [...byName]
    .map(([name, cpuS]) => ({ name, cpuS }))
    .filter(({ cpuS }) => cpuS > 0)
    .sort((a, b) => b.cpuS - a.cpuS)
}
