/**
 * A fleet for looking at the page: hosts of a few roles with CPU, memory and an application's requests, minute by minute, through the
 * collector. Values wander from minute to minute; a few hosts are hot, one in a hundred falls silent after the first minute, one in
 * fifty sends no memory. Instants are ms since the epoch.
 */
import { zstdCompressSync } from 'node:zlib'
import { mixed } from '../queries/generated-minutes.ts'

interface Sample {
  readonly serverId: string
  readonly metricId: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly ts: number
}

const roles = [
  { name: 'web', share: 0.5, busy: 0.34 },
  { name: 'api', share: 0.24, busy: 0.46 },
  { name: 'cache', share: 0.12, busy: 0.13 },
  { name: 'db', share: 0.08, busy: 0.58 },
  { name: 'queue', share: 0.06, busy: 0.22 },
] as const
const regions = ['eu-west', 'us-east', 'ap-south'] as const
const minuteMs = 60_000
const sampleEveryMs = 20_000
const hostsPerRequest = 500
const sendersMax = 4

export interface PageHost {
  readonly serverId: string
  readonly region: string
  readonly number: number
  /** Usual share of the CPU. */
  readonly busy: number
}

export function pageHosts(count: number): PageHost[] {
  return roles.flatMap(({ name, busy }, role) => {
    const first = Math.round(count * roles.slice(0, role).reduce((sum, before) => sum + before.share, 0))
    const own = Math.round(count * roles.slice(0, role + 1).reduce((sum, one) => sum + one.share, 0)) - first
    return Array.from({ length: own }, (_, at) => ({
      serverId: `${name}-${String(at + 1).padStart(4, '0')}`,
      region: regions[mixed(first + at) % regions.length] ?? 'eu-west',
      number: first + at,
      busy,
    }))
  })
}

/** @throws when a request is not accepted. */
export async function sendMinute(
  url: string,
  { hosts, atMs, isFirst }: { readonly hosts: readonly PageHost[]; readonly atMs: number; readonly isFirst: boolean },
): Promise<void> {
  const parts: PageHost[][] = []
  for (let at = 0; at < hosts.length; at += hostsPerRequest) parts.push(hosts.slice(at, at + hostsPerRequest))
  const sendNext = async (): Promise<void> => {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      const samples = part.flatMap((host) => (isFirst || !isSilent(host) ? samplesOf(host, atMs) : []))
      const answer = await fetch(`${url}/v1/samples`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-encoding': 'zstd' },
        body: zstdCompressSync(JSON.stringify({ samples })),
      })
      const text = await answer.text()
      if (answer.status !== 202) throw new Error(`the collector answered ${answer.status}: ${text.slice(0, 300)}`)
    }
  }
  await Promise.all(Array.from({ length: sendersMax }, sendNext))
}

export function isSilent({ number }: PageHost): boolean {
  return number % 100 === 41
}

function samplesOf(host: PageHost, atMs: number): Sample[] {
  const { serverId, region, number } = host
  const minute = atMs / minuteMs
  const samples: Sample[] = []
  for (let ts = atMs; ts < atMs + minuteMs; ts += sampleEveryMs) {
    const busy = busyOf(host, minute)
    const put = (metricId: string, labels: Record<string, string>, value: number): void => {
      samples.push({ serverId, metricId, labels, value: Math.round(value * 10_000) / 10_000, ts })
    }
    put('system.cpu.utilization', { 'cpu.mode': 'idle' }, 1 - busy)
    put('system.cpu.utilization', { 'cpu.mode': 'user' }, busy * 0.8)
    if (number % 50 !== 7) {
      const memory = 0.3 + 0.55 * share(number * 31) + 0.02 * share(number + minute)
      put('system.memory.utilization', { 'system.memory.state': 'used' }, memory)
    }
    put('app.requests.rate', { region }, Math.round(2_000 * busy * (0.5 + share(number * 7))))
  }
  return samples
}

function busyOf({ number, busy }: PageHost, minute: number): number {
  const isHot = number % 333 === 12
  const own = 0.5 + share(number * 13)
  const wave = 0.06 * Math.sin(minute / 9 + number)
  return Math.min(0.99, Math.max(0.01, (isHot ? 0.93 : busy * own) + wave + 0.05 * share(number ^ minute)))
}

/** 0..1 */
function share(seed: number): number {
  return mixed(seed) / 0xffff_ffff
}
