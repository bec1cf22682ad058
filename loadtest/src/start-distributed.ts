/** The distributed form for a test: own servers on free ports, 2 collectors, 3 aggregators, 2 query APIs. */
import { DistributedFleet } from './fleet/distributed-fleet.ts'
import { Servers } from './fleet/server-addresses.ts'
import type { NamedProcess } from './process-groups.ts'

const size = { collectors: 2, aggregators: 3, queryApis: 2 }

export interface StartedDistributed {
  readonly collectors: readonly string[]
  readonly queries: readonly string[]
  /** Whose CPU time and memory count. */
  readonly processes: readonly NamedProcess[]
  stop(): Promise<void>
}

/** @throws when something does not start; then nothing is left running. */
export async function startDistributed(logDir: string, say: (text: string) => void): Promise<StartedDistributed> {
  const servers = new Servers({ own: ['kafka', 'registry', 'redis', 'postgres'] })
  let fleet: DistributedFleet | undefined
  const stop = async (): Promise<void> => {
    for (const problem of (await fleet?.stop()) ?? []) say(problem)
    await servers.stop()
  }
  try {
    await servers.start({ onProgress: say })
    fleet = new DistributedFleet({ ...size, servers: servers.addresses, logDir }, { onProgress: say })
    await fleet.start()
  } catch (error) {
    await stop()
    throw error
  }
  const { collectors, aggregators, queryApis } = fleet
  const ours = [...collectors, ...aggregators, ...queryApis]
  return {
    collectors: fleet.collectorUrls(),
    queries: fleet.queryUrls(),
    processes: [
      ...ours.map(({ name, pid }) => ({ name: name.replace(/-\d+$/, ''), pid })),
      ...Object.entries(servers.addresses.pids ?? {}).flatMap(([name, pids]) => pids.map((pid) => ({ name, pid }))),
    ],
    stop,
  }
}
