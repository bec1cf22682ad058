/**
 * The agent's settings. The sample interval is not among them: one second is the resolution of the whole system, and the
 * 15 s flush grid is what lets a minute close 10 s after its end.
 */
import { hostname } from 'node:os'
import { type ConfigOf, integer, onOff, type Settings, text } from '@minutely/lib/config'
import { serverIdLengthMax } from '@minutely/schema/limits'
import { serverId } from '@minutely/schema/sample-wire'
import { z } from 'zod'

export const agentSettings = {
  serverId: {
    name: 'SERVER_ID',
    shape: z
      .string()
      .transform((written) => (written === '' ? serverIdOfHostname(hostname()) : written))
      .pipe(serverId),
    default: '',
    description: "Under which name this host's samples are stored; the host name if not set",
  },
  collectorUrl: {
    name: 'COLLECTOR_URL',
    shape: z
      .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
      .transform((written) => written.replace(/\/+$/, '')),
    default: 'http://127.0.0.1:7070',
    description: 'Where samples are sent, without the path `/v1/samples`',
  },
  requestTimeoutMs: {
    name: 'AGENT_REQUEST_TIMEOUT_MS',
    shape: integer({ min: 1000, max: 120_000 }),
    default: '15000',
    unit: 'ms',
    description: 'How long the collector may take to answer; it gives up on its log after 8 s',
  },
  queueBytesMax: {
    name: 'AGENT_QUEUE_BYTES_MAX',
    shape: integer({ min: 65_536, max: 1_073_741_824 }),
    default: '16777216',
    unit: 'bytes',
    description:
      'Memory for samples the collector has not acknowledged; past it the oldest are only in the spool, or dropped and counted without one',
  },
  queueAgeMaxMs: {
    name: 'AGENT_QUEUE_AGE_MAX_MS',
    shape: integer({ min: 60_000, max: 86_400_000 }),
    default: '3600000',
    unit: 'ms',
    description: 'How long samples that are in memory only wait for the collector before they are dropped and counted',
  },
  cpuPerCore: {
    name: 'AGENT_CPU_PER_CORE',
    shape: onOff,
    default: 'off',
    description: 'Also CPU utilization of each core: 7 series a core, 128 cores at most (`on` or `off`; Linux)',
  },
  interfacesIgnored: {
    name: 'AGENT_INTERFACES_IGNORED',
    shape: z
      .string()
      .regex(/^[^\s/]*$/, 'must be names separated by commas, without blanks')
      .transform(patternOfNames),
    default: 'lo,veth*,cali*,lxc*,cilium_*,ifb*,dummy*',
    description: 'Network interfaces not read: names separated by commas, `*` stands for anything',
  },
} satisfies Settings

/** Where an agent that runs alone answers /healthz, /readyz and /metrics. */
export const agentHttpSettings = {
  host: {
    name: 'AGENT_HOST',
    shape: text,
    default: '127.0.0.1',
    description: "Address of the agent's own `/metrics` and `/healthz` when it runs alone",
  },
  port: {
    name: 'AGENT_PORT',
    shape: integer({ min: 0, max: 65_535 }),
    default: '7071',
    description: 'Port of the same; 0 takes a free one',
  },
} satisfies Settings

/** Of an agent that runs alone. In the one process its collector is in the same process, and fails with it. */
export const agentSpoolSettings = {
  spoolDir: {
    name: 'AGENT_SPOOL_DIR',
    shape: text,
    default: './data/agent-spool',
    description:
      'Folder for samples the collector has not acknowledged, so that they survive a restart; made if it is not there, one for each agent',
  },
  spoolBytesMax: {
    name: 'AGENT_SPOOL_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 68_719_476_736 }),
    default: '268435456',
    unit: 'bytes',
    description: 'Disk for the same; past it the oldest are dropped and counted',
  },
  spoolAgeMsMax: {
    name: 'AGENT_SPOOL_AGE_MS_MAX',
    shape: integer({ min: 60_000, max: 604_800_000 }),
    default: '86400000',
    unit: 'ms',
    description: 'How long samples wait in the spool before they are dropped and counted',
  },
} satisfies Settings

export type AgentConfig = ConfigOf<typeof agentSettings>
export type AgentSpoolConfig = ConfigOf<typeof agentSpoolSettings>
/** What the readers of the host need of it. */
export type HostConfig = Pick<AgentConfig, 'cpuPerCore' | 'interfacesIgnored'>

/** A host name may hold characters a serverId may not: they become `-`. */
export function serverIdOfHostname(name: string): string {
  const allowed = name
    .replace(/[^A-Za-z0-9._:@-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, serverIdLengthMax)
  return allowed === '' ? 'unnamed-host' : allowed
}

/** `lo,veth*` -> a pattern that matches `lo` and `veth12`, and neither `lo0` nor an empty name. */
function patternOfNames(list: string): RegExp {
  const names = list.split(',').filter((name) => name !== '')
  const alternatives = names.map((name) => name.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*'))
  // Without names nothing must match, not even the empty name.
  return new RegExp(alternatives.length === 0 ? '(?!)' : `^(?:${alternatives.join('|')})$`)
}
