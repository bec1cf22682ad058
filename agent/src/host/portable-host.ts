/**
 * A host of any operating system systeminformation knows (macOS, Windows, the BSDs): the only file that imports it. Same
 * metric names as Linux, fewer of them.
 *
 * CPU, load and uptime come from Node itself, every second. The rest makes systeminformation start child processes
 * (netstat, ioreg, PowerShell), which every second would cost more than everything else the agent does. So each group
 * is refreshed in the background, 5 s after its last result; a reading takes results that are new and waits for none.
 * Between two results the series of a group are gaps: 12 samples a minute, honestly counted, instead of copies.
 */
import { cpus, loadavg, uptime } from 'node:os'
import si from 'systeminformation'
import type { HostConfig } from '../config.ts'
import type { HostReader, HostReaderDeps, HostSample } from '../host-metrics.ts'
import { HostReading } from './host-reading.ts'

const refreshMs = 5000
const filesystemsRefreshMs = 15_000
const elapsedMsMax = 5000
/** Groups are further apart than readings, and a child process may be slow. */
const groupElapsedMsMax = 30_000
const filesystemsMax = 32
const interfacesMax = 32

export function createPortableHost(config: HostConfig, deps: HostReaderDeps): HostReader {
  const reading = new HostReading({ elapsedMsMax })
  const groups = [
    new BackgroundGroup(refreshMs, deps, readMemory),
    new BackgroundGroup(refreshMs, deps, (into) => readNetworks(config.interfacesIgnored, into)),
    new BackgroundGroup(refreshMs, deps, readDisks),
    new BackgroundGroup(filesystemsRefreshMs, deps, readFilesystems),
  ]
  return {
    read() {
      reading.begin(deps.monotonicMs())
      readCpus(reading)
      return [...reading.samples, ...groups.flatMap((group) => group.take())]
    },
    async settled() {
      await Promise.all(groups.map((group) => group.settled()))
    },
    close() {
      for (const group of groups) group.close()
    },
  }
}

/** Samples of one kind, gathered beside the readings. One gathering at a time, so that slow child processes do not pile up. */
class BackgroundGroup {
  readonly #intervalMs: number
  readonly #deps: HostReaderDeps
  readonly #gather: (reading: HostReading) => Promise<void>
  readonly #reading = new HostReading({ elapsedMsMax: groupElapsedMsMax })
  #fresh: HostSample[] = []
  #gathering: Promise<void> | undefined
  #isClosed = false
  #gatheredAtMs = Number.NEGATIVE_INFINITY

  constructor(intervalMs: number, deps: HostReaderDeps, gather: (reading: HostReading) => Promise<void>) {
    this.#intervalMs = intervalMs
    this.#deps = deps
    this.#gather = gather
  }

  /** What is new since the last call. */
  take(): HostSample[] {
    const due = this.#deps.monotonicMs() - this.#gatheredAtMs >= this.#intervalMs
    if (due && this.#gathering === undefined && !this.#isClosed) this.#refresh()
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }

  async settled(): Promise<void> {
    await this.#gathering
  }

  close(): void {
    this.#isClosed = true
  }

  #refresh(): void {
    this.#reading.begin(this.#deps.monotonicMs())
    this.#gathering = this.#gather(this.#reading)
      .then(() => {
        this.#fresh = this.#reading.samples
      })
      .catch((error: unknown) => this.#deps.log.debug({ err: error }, 'a group of host metrics could not be read'))
      .finally(() => {
        this.#gathering = undefined
        this.#gatheredAtMs = this.#deps.monotonicMs()
      })
  }
}

/** Node has no iowait and no steal; they are left out rather than sent as 0. */
function readCpus(reading: HostReading): void {
  const times = { user: 0, nice: 0, system: 0, idle: 0, interrupt: 0 }
  const cores = cpus()
  for (const { times: core } of cores) {
    times.user += core.user
    times.nice += core.nice
    times.system += core.sys
    times.idle += core.idle
    times.interrupt += core.irq
  }
  const parts = Object.entries(times).map(([mode, count]) => ({ labelValues: [mode], count }))
  reading.shares('system.cpu.utilization', parts)
  reading.level('system.cpu.logical.count', [], cores.length)
  reading.level('system.uptime', [], uptime())
  // Windows has no load average; Node answers with zeros there.
  if (process.platform === 'win32') return
  const [one, five, fifteen] = loadavg()
  reading.level('system.cpu.load_average.1m', [], one)
  reading.level('system.cpu.load_average.5m', [], five)
  reading.level('system.cpu.load_average.15m', [], fifteen)
}

async function readMemory(reading: HostReading): Promise<void> {
  const memory = await si.mem()
  const used = memory.total - memory.available
  reading.level('system.memory.limit', [], memory.total)
  reading.level('system.memory.usage', ['used'], used)
  reading.level('system.memory.usage', ['free'], memory.free)
  reading.level('system.memory.usage', ['cached'], memory.cached)
  reading.level('system.memory.usage', ['buffers'], memory.buffers)
  reading.level('system.memory.utilization', ['used'], used / memory.total)
  if (memory.swaptotal === 0) return
  reading.level('system.paging.usage', ['used'], memory.swapused)
  reading.level('system.paging.usage', ['free'], memory.swapfree)
  reading.level('system.paging.utilization', ['used'], memory.swapused / memory.swaptotal)
}

async function readNetworks(ignored: RegExp, reading: HostReading): Promise<void> {
  const found = await si.networkStats('*')
  for (const stats of found.filter(({ iface }) => iface !== '' && !ignored.test(iface)).slice(0, interfacesMax)) {
    const name = stats.iface
    reading.rate('system.network.io', [name, 'receive'], counter(stats.rx_bytes))
    reading.rate('system.network.io', [name, 'transmit'], counter(stats.tx_bytes))
    reading.rate('system.network.errors', [name, 'receive'], counter(stats.rx_errors))
    reading.rate('system.network.errors', [name, 'transmit'], counter(stats.tx_errors))
    reading.rate('system.network.packet.dropped', [name, 'receive'], counter(stats.rx_dropped))
    reading.rate('system.network.packet.dropped', [name, 'transmit'], counter(stats.tx_dropped))
  }
}

/** systeminformation sums over all disks, hence one device called `all`. */
async function readDisks(reading: HostReading): Promise<void> {
  // Null where the platform has no such figures (Windows), whatever the types say.
  const operations: Awaited<ReturnType<typeof si.disksIO>> | null = await si.disksIO()
  reading.rate('system.disk.operations', ['all', 'read'], counter(operations?.rIO))
  reading.rate('system.disk.operations', ['all', 'write'], counter(operations?.wIO))
  const bytes: Awaited<ReturnType<typeof si.fsStats>> | null = await si.fsStats()
  reading.rate('system.disk.io', ['all', 'read'], counter(bytes?.rx))
  reading.rate('system.disk.io', ['all', 'write'], counter(bytes?.wx))
}

async function readFilesystems(reading: HostReading): Promise<void> {
  const seen = new Set<string>()
  for (const filesystem of await si.fsSize()) {
    if (seen.has(filesystem.mount) || seen.size >= filesystemsMax || !(filesystem.size > 0)) continue
    seen.add(filesystem.mount)
    const { fs, mount, type, size, used, available } = filesystem
    const reserved = Math.max(0, size - used - available)
    reading.level('system.filesystem.usage', [fs, mount, type, 'used'], used)
    reading.level('system.filesystem.usage', [fs, mount, type, 'free'], available)
    reading.level('system.filesystem.usage', [fs, mount, type, 'reserved'], reserved)
    reading.level('system.filesystem.utilization', [fs, mount, type, 'used'], used / (used + available))
  }
}

/** A counter systeminformation could read: it says null, -1 or NaN for those it could not. */
function counter(value: number | null | undefined): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined
}
