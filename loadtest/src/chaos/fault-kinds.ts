/** All kinds of faults, by what is broken. */
import { editDistance } from '@minutely/lib/edit-distance'
import type { DistributedWorld } from './distributed-world.ts'
import type { EmbeddedWorld } from './embedded-world.ts'
import type { FaultKind } from './fault-kind.ts'
import { faultsOnAggregators } from './faults-on-aggregators.ts'
import { faultsOnDistributedCollectors, faultsOnRequests } from './faults-on-collectors.ts'
import { faultsOnHosts } from './faults-on-hosts.ts'
import { faultsOnPostgres } from './faults-on-postgres.ts'
import { faultsOnProcess } from './faults-on-process.ts'
import { faultsOnSealing } from './faults-on-sealing.ts'
import { faultsOnServers } from './faults-on-servers.ts'

export const distributedKinds: readonly FaultKind<DistributedWorld>[] = [
  ...faultsOnDistributedCollectors,
  ...faultsOnRequests,
  ...faultsOnAggregators,
  ...faultsOnSealing,
  ...faultsOnServers,
  ...faultsOnPostgres,
  ...faultsOnHosts,
]

export const embeddedKinds: readonly FaultKind<EmbeddedWorld>[] = [
  ...faultsOnProcess,
  ...faultsOnRequests,
  ...faultsOnHosts,
]

/** @throws when a name is of no kind. */
export function only<World>(
  kinds: readonly FaultKind<World>[],
  names: readonly string[] | undefined,
): readonly FaultKind<World>[] {
  if (names === undefined) return kinds
  const unknown = names.find((name) => !kinds.some((kind) => kind.name === name))
  if (unknown !== undefined) {
    const byDistance = kinds.toSorted((a, b) => editDistance(unknown, a.name) - editDistance(unknown, b.name))
    throw new Error(
      `--only ${unknown}: there is no such kind; the nearest is ${byDistance[0]?.name}, --list has all of them`,
    )
  }
  return kinds.filter(({ name }) => names.includes(name))
}

/** As `--list` shows them. */
export function listed<World>(kinds: readonly FaultKind<World>[]): string {
  return kinds.map(({ name, describes }) => `${name.padEnd(34)} ${describes}`).join('\n')
}
