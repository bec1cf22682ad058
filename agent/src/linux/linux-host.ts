/**
 * A Linux host, read from /proc and /sys once a second. The cost is what counts here: about 14 small files by
 * synchronous reads of files kept open, no child process, no thread (statfs aside): below 1 ms of CPU a reading.
 *
 * All files of a reading are taken to be of one instant, the monotonic time at its start; reading them takes a
 * thousandth of the second whose rates they give.
 */
import { readdirSync } from 'node:fs'
import type { HostConfig } from '../config.ts'
import { HostReading } from '../host/host-reading.ts'
import type { HostReader, HostReaderDeps } from '../host-metrics.ts'
import { readDisks, wholeDisks } from './disks.ts'
import { Filesystems, spaceOf } from './filesystems.ts'
import { readFileDescriptors, readKernelStat, readLoad, readUptime } from './kernel-stat.ts'
import { readMemory, readPaging } from './memory.ts'
import { readConnections, readInterfaces } from './networks.ts'
import { pressureResources, readPressure } from './pressure.ts'
import { ProcFile } from './proc-file.ts'

/** A rate over more than this is an average that one second must not show. */
const elapsedMsMax = 5000
/** Disks are plugged in rarely; readings between two looks at /sys/block. */
const disksRefreshReads = 15

export interface LinuxHostDeps extends HostReaderDeps {
  /** Where procfs and sysfs are; a directory of fixtures in tests. */
  readonly roots?: { readonly proc: string; readonly sys: string }
}

export function createLinuxHost(config: HostConfig, deps: LinuxHostDeps): HostReader {
  const { roots = { proc: '/proc', sys: '/sys' } } = deps
  const files = openFiles(roots.proc)
  const reading = new HostReading({ elapsedMsMax })
  const filesystems = new Filesystems({
    mountinfo: () => files.mountinfo.text(),
    spaceOf,
    monotonicMs: deps.monotonicMs,
  })
  let readCount = 0
  let disks: ReadonlySet<string> | null = null
  return {
    read() {
      if (readCount++ % disksRefreshReads === 0) disks = listDisks(`${roots.sys}/block`)
      reading.begin(deps.monotonicMs())
      const stat = files.stat.text()
      readKernelStat(stat, config.cpuPerCore, reading)
      readLoad({ loadavg: files.loadavg.text(), stat }, reading)
      readMemory(files.meminfo.text(), reading)
      readPaging(files.vmstat.text(), reading)
      readDisks(files.diskstats.text(), disks, reading)
      readInterfaces(files.netDev.text(), config.interfacesIgnored, reading)
      readConnections({ snmp: files.netSnmp.text(), sockstat: files.netSockstat.text() }, reading)
      for (const resource of pressureResources) readPressure(files.pressure[resource].text(), resource, reading)
      readFileDescriptors(files.fileNr.text(), reading)
      readUptime(files.uptime.text(), reading)
      filesystems.read(reading)
      return reading.samples
    },
    settled: () => filesystems.settled(),
    close() {
      const { pressure, ...others } = files
      for (const file of [...Object.values(others), ...Object.values(pressure)]) file.close()
    },
  }
}

function openFiles(proc: string) {
  return {
    stat: new ProcFile(`${proc}/stat`),
    loadavg: new ProcFile(`${proc}/loadavg`),
    meminfo: new ProcFile(`${proc}/meminfo`),
    vmstat: new ProcFile(`${proc}/vmstat`),
    diskstats: new ProcFile(`${proc}/diskstats`),
    netDev: new ProcFile(`${proc}/net/dev`),
    netSnmp: new ProcFile(`${proc}/net/snmp`),
    netSockstat: new ProcFile(`${proc}/net/sockstat`),
    fileNr: new ProcFile(`${proc}/sys/fs/file-nr`),
    uptime: new ProcFile(`${proc}/uptime`),
    mountinfo: new ProcFile(`${proc}/self/mountinfo`),
    pressure: {
      cpu: new ProcFile(`${proc}/pressure/cpu`),
      memory: new ProcFile(`${proc}/pressure/memory`),
      io: new ProcFile(`${proc}/pressure/io`),
    },
  }
}

/** Null where sysfs is hidden: then every line of /proc/diskstats counts. */
function listDisks(directory: string): ReadonlySet<string> | null {
  try {
    return wholeDisks(readdirSync(directory))
  } catch {
    return null
  }
}
