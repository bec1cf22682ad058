/** CPU time and memory of named groups of processes between two instants; a process counts with all below it. Linux only. */
import type { ProcessRow } from './load-report.ts'
import { costOf } from './process-cost.ts'

export interface NamedProcess {
  readonly name: string
  readonly pid: number
}

export class ProcessGroups {
  readonly #processes: readonly NamedProcess[]
  readonly #before: ReadonlyMap<number, Cost>

  /** @throws when one does not exist. */
  constructor(processes: readonly NamedProcess[]) {
    this.#processes = processes
    this.#before = new Map(processes.map(({ pid }) => [pid, costOf(pid)]))
  }

  /** Rows by name since the construction; children in rows of their own, where there are any. */
  since(): ProcessRow[] {
    const rows = new Map<string, { cpuS: number; residentBytes: number }>()
    for (const { name, pid } of this.#processes) {
      const [before, after] = [this.#before.get(pid), costNow(pid)]
      if (before === undefined || after === undefined) {
        add(rows, `${name} (pid ${pid} has ended)`, { cpuS: 0, residentBytes: 0 })
        continue
      }
      add(rows, name, difference(before.own, after.own))
      if (after.descendants.residentBytes > 0) {
        add(rows, `${name}: its children`, difference(before.descendants, after.descendants))
      }
    }
    return [...rows].map(([name, cost]) => ({ name, ...cost }))
  }
}

type Cost = ReturnType<typeof costOf>
type Part = Pick<Cost['own'], 'cpuS' | 'residentBytes'>

function costNow(pid: number): Cost | undefined {
  try {
    return costOf(pid)
  } catch {
    return undefined
  }
}

function difference(before: Part, after: Part): Part {
  return { cpuS: after.cpuS - before.cpuS, residentBytes: after.residentBytes }
}

function add(rows: Map<string, Part>, name: string, { cpuS, residentBytes }: Part): void {
  const row = rows.get(name) ?? { cpuS: 0, residentBytes: 0 }
  rows.set(name, { cpuS: row.cpuS + cpuS, residentBytes: row.residentBytes + residentBytes })
}
