/**
 * /proc/diskstats: I/O of whole disks. A sector is 512 bytes here whatever the device says; times are in ms. Layout:
 * https://www.kernel.org/doc/html/latest/admin-guide/iostats.html
 *
 * Whole disks are those that /sys/block lists: a name alone does not tell (`xvda1` may be a partition or an EC2 disk).
 * sysfs writes `/` as `!` (`cciss!c0d0`).
 */
import type { HostReading } from '../host/host-reading.ts'
import { numberOf, wordsOf } from './proc-text.ts'

/** Disks beyond this, in the kernel's order, are left out: 7 series each. */
export const disksMax = 32
const sectorBytes = 512
/** RAM disks (zram is swap), loop devices of images (snaps: dozens), floppy and CD drives. */
const ignored = /^(loop|ram|zram|fd|sr)\d+$/

export interface Disk {
  readonly name: string
  readonly reads: number
  readonly readBytes: number
  readonly readS: number
  readonly writes: number
  readonly writtenBytes: number
  readonly writeS: number
  readonly busyS: number
}

/** @param whole names of whole disks, null if unknown (then every line counts). */
export function parseDisks(text: string, whole: ReadonlySet<string> | null): Disk[] {
  const disks: Disk[] = []
  for (const line of text.split('\n')) {
    const [, , name, ...words] = wordsOf(line)
    if (name === undefined || ignored.test(name) || (whole !== null && !whole.has(name))) continue
    // reads, merged, sectors, ms, writes, merged, sectors, ms, in flight, busy ms; partitions had 4 before 2.6.25
    const [reads, , readSectors, readMs, writes, , writtenSectors, writeMs, , busyMs] = words.map(numberOf)
    if (reads === undefined || readSectors === undefined || readMs === undefined || busyMs === undefined) continue
    if (writes === undefined || writtenSectors === undefined || writeMs === undefined) continue
    disks.push({
      name,
      reads,
      readBytes: readSectors * sectorBytes,
      readS: readMs / 1000,
      writes,
      writtenBytes: writtenSectors * sectorBytes,
      writeS: writeMs / 1000,
      busyS: busyMs / 1000,
    })
    if (disks.length === disksMax) break
  }
  return disks
}

export function readDisks(text: string | null, whole: ReadonlySet<string> | null, reading: HostReading): void {
  if (text === null) return
  for (const disk of parseDisks(text, whole)) {
    const { name } = disk
    reading.rate('system.disk.io', [name, 'read'], disk.readBytes)
    reading.rate('system.disk.io', [name, 'write'], disk.writtenBytes)
    reading.rate('system.disk.operations', [name, 'read'], disk.reads)
    reading.rate('system.disk.operations', [name, 'write'], disk.writes)
    reading.rate('system.disk.operation_time', [name, 'read'], disk.readS)
    reading.rate('system.disk.operation_time', [name, 'write'], disk.writeS)
    reading.shareOfTime('system.disk.io_time', [name], disk.busyS)
  }
}

/** The names of /sys/block as /proc/diskstats writes them. */
export function wholeDisks(names: readonly string[]): Set<string> {
  return new Set(names.map((name) => name.replaceAll('!', '/')))
}
