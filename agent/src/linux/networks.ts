/**
 * /proc/net/dev, /proc/net/snmp and /proc/net/sockstat: traffic of interfaces and TCP connections, of the network
 * namespace the agent runs in. Layout: proc_pid_net(5).
 *
 * A line is `name: 16 numbers`; old kernels leave out the blank behind the colon, and an alias has a colon in its name
 * (`eth0:1`), so the last colon of the line is the one that separates.
 */
import type { HostReading } from '../host/host-reading.ts'
import { numberOf, numberOfLine, wordsOf } from './proc-text.ts'

/** Interfaces beyond this, in the kernel's order, are left out: 8 series each. */
export const interfacesMax = 32

export interface NetworkInterface {
  readonly name: string
  readonly received: Traffic
  readonly sent: Traffic
}

export interface Traffic {
  readonly bytes: number
  readonly packets: number
  readonly errors: number
  readonly dropped: number
}

/** @param ignored names that are left out. */
export function parseInterfaces(text: string, ignored: RegExp): NetworkInterface[] {
  const found: NetworkInterface[] = []
  for (const line of text.split('\n')) {
    const colon = line.lastIndexOf(':')
    const name = line.slice(0, Math.max(0, colon)).trim()
    if (name === '' || ignored.test(name)) continue
    const numbers = wordsOf(line.slice(colon + 1)).map(numberOf)
    const received = trafficOf(numbers.slice(0, 4))
    const sent = trafficOf(numbers.slice(8, 12))
    if (received === undefined || sent === undefined) continue
    found.push({ name, received, sent })
    if (found.length === interfacesMax) break
  }
  return found
}

function trafficOf([bytes, packets, errors, dropped]: readonly (number | undefined)[]): Traffic | undefined {
  if (bytes === undefined || packets === undefined || errors === undefined || dropped === undefined) return undefined
  return { bytes, packets, errors, dropped }
}

export function readInterfaces(text: string | null, ignored: RegExp, reading: HostReading): void {
  if (text === null) return
  for (const { name, received, sent } of parseInterfaces(text, ignored)) {
    readTraffic([name, 'receive'], received, reading)
    readTraffic([name, 'transmit'], sent, reading)
  }
}

function readTraffic(labelValues: readonly string[], traffic: Traffic, reading: HostReading): void {
  reading.rate('system.network.io', labelValues, traffic.bytes)
  reading.rate('system.network.packet.count', labelValues, traffic.packets)
  reading.rate('system.network.errors', labelValues, traffic.errors)
  reading.rate('system.network.packet.dropped', labelValues, traffic.dropped)
}

/** Of the two `Tcp:` lines the first names the columns, the second holds them. */
export function parseTcpEstablished(snmp: string): number | undefined {
  const [names, values] = snmp.split('\n').filter((line) => line.startsWith('Tcp: '))
  const column = names === undefined ? -1 : wordsOf(names).indexOf('CurrEstab')
  return column === -1 || values === undefined ? undefined : numberOf(wordsOf(values)[column])
}

/** `TCP: inuse 27 orphan 0 tw 3 alloc 31 mem 2`; tw counts IPv6 too. */
export function parseTcpTimeWait(sockstat: string): number | undefined {
  const line = sockstat.split('\n').find((candidate) => candidate.startsWith('TCP: '))
  const fields = line?.slice('TCP: '.length).replaceAll(/([a-z]+) (\d+) ?/g, '$1 $2\n')
  return fields === undefined ? undefined : numberOfLine(fields, 'tw')
}

/** The texts of /proc/net/snmp and /proc/net/sockstat. */
export function readConnections(texts: { snmp: string | null; sockstat: string | null }, reading: HostReading): void {
  const { snmp, sockstat } = texts
  const metricId = 'system.network.connection.count'
  if (snmp !== null) reading.level(metricId, ['tcp', 'established'], parseTcpEstablished(snmp))
  if (sockstat !== null) reading.level(metricId, ['tcp', 'time_wait'], parseTcpTimeWait(sockstat))
}
