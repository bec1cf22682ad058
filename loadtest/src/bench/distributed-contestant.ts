/**
 * The distributed form as a contestant: a collector, an aggregator and a query API over a Kafka, schema registry, Redis and PostgreSQL of
 * their own, each a process whose cost counts. All run before the first measured minute, in real time, because brokers stamp records with
 * no other; so `start` here only says where they are.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DistributedFleet } from '../fleet/distributed-fleet.ts'
import { Servers } from '../fleet/server-addresses.ts'
import type { ServiceProcess } from '../fleet/service-process.ts'
import type { Contestant, Finding, Running } from './contestant.ts'
import { checkMinutely, untilComplete } from './embedded-contestant.ts'
import type { Interval } from './measured-run.ts'
import { PostgresLook } from './postgres-look.ts'
import { cpuBetween, type NamedCpu, type Roots, readTree } from './process-tree.ts'
import { askForProfile, preloadFile } from './profiles.ts'
import type { SendPlan } from './send-plan.ts'

const size = { collectors: 1, aggregators: 1, queryApis: 1 }
const idleMs = 10_000
const serverNames: Readonly<Record<string, string>> = {
  kafka: 'Kafka',
  registry: 'schema registry',
  redis: 'Redis',
  postgres: 'Postgres postmaster',
}

export interface StartedPipeline {
  readonly contestant: Contestant
  stop(): Promise<void>
}

/** @throws when something does not start; then nothing is left running. */
export async function startPipeline(
  { logDir, isProfiled }: { logDir: string; isProfiled: boolean },
  { say }: { say: (text: string) => void },
): Promise<StartedPipeline> {
  const servers = new Servers({ own: ['kafka', 'registry', 'redis', 'postgres'] })
  let fleet: DistributedFleet | undefined
  let look: PostgresLook | undefined
  const stop = async (): Promise<void> => {
    await look?.close()
    for (const problem of (await fleet?.stop()) ?? []) say(problem)
    await servers.stop()
  }
  try {
    await servers.start({ onProgress: say })
    fleet = new DistributedFleet(
      { ...size, servers: servers.addresses, logDir, ...(isProfiled && { preload: preloadFile }) },
      { onProgress: say },
    )
    await fleet.start()
    look = await PostgresLook.at(servers.addresses.postgresUrl)
  } catch (error) {
    await stop()
    throw error
  }
  const services = [...fleet.collectors, ...fleet.aggregators, ...fleet.queryApis]
  const roots: Roots = new Map([
    ...services.map(({ name, pid }) => [pid, name.replace(/-\d+$/, '')] as const),
    ...Object.entries(servers.addresses.pids ?? {}).flatMap(([name, pids]) =>
      pids.map((pid) => [pid, serverNames[name] ?? name] as const),
    ),
  ])
  const pipeline = { services, roots, look, urls: { write: fleet.collectorUrls(), read: fleet.queryUrls() } }
  return { contestant: contestantOf(pipeline), stop }
}

interface Pipeline {
  readonly services: readonly ServiceProcess[]
  readonly roots: Roots
  readonly look: PostgresLook
  /** Base URLs. */
  readonly urls: { readonly write: readonly string[]; readonly read: readonly string[] }
}

function contestantOf({ services, roots, look, urls }: Pipeline): Contestant {
  const [write = ''] = urls.write
  const [read = ''] = urls.read
  const metricsUrls = services.map(({ url }) => url)
  const running = (plan: SendPlan): Running => ({
    url: `${write}/v1/samples`,
    time: { realMs: 0, fleetMs: 0, speed: 1 },
    roots,
    backends: () => look.backends(),
    settle: (interval) => untilComplete(read, { plan, toMs: interval.toMs }),
    check: (interval) => checkPipeline({ read, metricsUrls, roots }, { plan, interval }),
    disk: () => look.disk(),
    profiled: services.map(({ pid }) => pid),
    startProfile: async () => {
      for (const service of services) service.tell({ profile: 'start' })
    },
    stopProfile: (folder) =>
      Promise.all(
        services.map(async (service) => {
          const file = join(folder, `${service.name}.cpuprofile`)
          await askForProfile((message) => service.tell(message), file)
          return { name: roots.get(service.pid) ?? service.name, pid: service.pid, file }
        }),
      ),
    metricsUrls,
    // Whoever started it stops it: a stop of so many servers is no part of what samples cost.
    stop: async () => {},
  })
  return { name: 'Minutely, distributed', format: 'avro', start: async ({ plan }) => running(plan) }
}

/** What the pipeline costs when nothing comes is a large part of the whole at a low rate, and is said. */
async function checkPipeline(
  { read, metricsUrls, roots }: { read: string; metricsUrls: readonly string[]; roots: Roots },
  { plan, interval }: { plan: SendPlan; interval: Interval },
): Promise<Finding> {
  const finding = await checkMinutely({ url: read, metricsUrls }, { plan, interval })
  const before = readTree(roots)
  await delay(idleMs)
  const idle = cpuBetween(before, readTree(roots))
  return { ...finding, remarks: [...finding.remarks, idleRemark(idle)] }
}

function idleRemark(idle: readonly NamedCpu[]): string {
  const perSecond = (cpuS: number): string => ((cpuS * 1_000) / idleMs).toFixed(3)
  const total = idle.reduce((sum, { cpuS }) => sum + cpuS, 0)
  const parts = idle.slice(0, 5).map(({ name, cpuS }) => `${name} ${perSecond(cpuS)}`)
  return `without samples it costs ${perSecond(total)} CPU-s a second (${parts.join(', ')})`
}
