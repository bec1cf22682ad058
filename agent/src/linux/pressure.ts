/**
 * /proc/pressure/{cpu,memory,io}: pressure stall information. `total` is microseconds since boot during which some, or
 * all, tasks waited; its growth over the last second is a sharper reading than the kernel's own 10 s average. Absent
 * before Linux 4.20 or with psi=0. Layout: https://docs.kernel.org/accounting/psi.html
 */
import type { HostReading } from '../host/host-reading.ts'

export const pressureResources = ['cpu', 'memory', 'io'] as const
export type PressureResource = (typeof pressureResources)[number]

const stallLine = /^(some|full) .*\btotal=(\d+)$/gm

/** Seconds stalled since boot. */
export interface Pressure {
  readonly some: number | undefined
  readonly full: number | undefined
}

export function parsePressure(text: string): Pressure {
  const seconds = new Map<string, number>()
  for (const [, kind = '', total = ''] of text.matchAll(stallLine)) seconds.set(kind, Number(total) / 1e6)
  return { some: seconds.get('some'), full: seconds.get('full') }
}

export function readPressure(text: string | null, resource: PressureResource, reading: HostReading): void {
  if (text === null) return
  const { some, full } = parsePressure(text)
  reading.shareOfTime('system.linux.psi.pressure', [resource, 'some'], some)
  // For cpu it is undefined at the level of a host: Linux 5.13 prints zeros there, for compatibility.
  if (resource !== 'cpu') reading.shareOfTime('system.linux.psi.pressure', [resource, 'full'], full)
}
