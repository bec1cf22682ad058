/** CPU time and memory of a process and everything below it, from /proc (Linux only). Postgres' backends are below ours. */
import { readdirSync, readFileSync } from 'node:fs'

/** The kernel's USER_HZ is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100
const pageBytes = 4_096

export interface ProcessCost {
  readonly name: string
  /** User and system time, of the living processes and of their ended children, s. */
  readonly cpuS: number
  readonly residentBytes: number
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
  let cpuS = 0
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
