/** CPU time and memory of a process and everything below it, from /proc (Linux only). Postgres' backends are below ours. */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** The kernel's USER_HZ is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100
const pageBytes = 4_096

export interface ProcessCost {
  readonly name: string
  /** User and system time, of the living processes and of their ended children, s. */
  readonly cpuS: number
  readonly residentBytes: number
}

/** Time that all cores together were not idle since the machine started, s. */
export function machineCpuS(): number {
  const busyMs = cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0)
  return busyMs / 1_000
}

/** User and system time of our own children that have ended, s; of what they had started only what they had waited for. */
export function endedChildrenCpuS(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}

/** The root's own cost and that of all its descendants together, as two rows. */
export function costOf(rootPid: number): { own: ProcessCost; descendants: ProcessCost } {
  const stats = new Map<number, { parent: number; cpuS: number; ownS: number; residentBytes: number }>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const at = (index: number): number => Number(fields[index])
      const ownS = (at(11) + at(12)) / ticksPerSecond
      stats.set(Number(entry), {
        parent: at(1),
        ownS,
        cpuS: ownS + (at(13) + at(14)) / ticksPerSecond,
        residentBytes: at(21) * pageBytes,
      })
    } catch {
      // It ended while we looked.
    }
  }
  const root = stats.get(rootPid)
  if (root === undefined) throw new Error(`no process ${rootPid}`)
  // Its ended children, too: the time of a process that ends meanwhile moves there.
  let cpuS = root.cpuS - root.ownS
  let residentBytes = 0
  const pending = [rootPid]
  for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
    for (const [child, stat] of stats) {
      if (stat.parent !== pid) continue
      cpuS += stat.cpuS
      residentBytes += stat.residentBytes
      pending.push(child)
    }
  }
  return {
    own: { name: 'node', cpuS: root.ownS, residentBytes: root.residentBytes },
    descendants: { name: 'postgres', cpuS, residentBytes },
  }
}
