/** The whole Linux reader over fixtures: a server with odd names, a container in which much is missing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { describeSeries } from '@minutely/schema/series-identity'
import pino from 'pino'
import { createLinuxHost } from './linux-host.ts'

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url))
const config = { cpuPerCore: false, interfacesIgnored: /^(?:lo|veth.*)$/ }

async function readTwice(name: string): Promise<Map<string, number>> {
  let nowMs = 0
  const roots = { proc: fixture(name), sys: fixture(`${name}-sys`) }
  const reader = createLinuxHost(config, { log: pino({ level: 'silent' }), monotonicMs: () => nowMs, roots })
  await reader.read()
  await reader.settled()
  nowMs = 1000
  const samples = await reader.read()
  reader.close()
  return new Map(samples.map(({ series, value }) => [describeSeries(series), value]))
}

describe('createLinuxHost', () => {
  it('reads a server', async () => {
    const values = await readTwice('server')
    assert.equal(values.get('system.cpu.logical.count'), 4)
    assert.equal(values.get('system.cpu.load_average.15m'), 1.25)
    assert.equal(values.get('system.memory.usage{system.memory.state="used"}'), (16318508 - 11034472) * 1024)
    assert.equal(values.get('system.memory.utilization{system.memory.state="used"}'), 0.3238)
    assert.equal(values.get('system.paging.usage{system.paging.state="used"}'), (2097148 - 2000000) * 1024)
    assert.equal(values.get('system.process.count{process.state="sleeping"}'), 1423 - 3 - 2)
    assert.equal(values.get('system.uptime'), 12345678.91)
    const connections = 'system.network.connection.count{network.connection.state='
    assert.equal(values.get(`${connections}"established",network.transport="tcp"}`), 57)
    assert.equal(values.get(`${connections}"time_wait",network.transport="tcp"}`), 3)
    assert.equal(values.get('system.linux.file_descriptor.count'), 11264)
    assert.equal(values.has('system.linux.file_descriptor.limit'), false, '2^63 - 1 is no limit')
    assert.equal(values.get('system.disk.io{disk.io.direction="read",system.device="cciss/c0d0"}'), 0)
    assert.equal(values.has('system.disk.io{disk.io.direction="read",system.device="cciss/c0d0p1"}'), false)
    assert.equal(values.get('system.network.io{network.interface.name="eth0:1",network.io.direction="transmit"}'), 0)
    const pressure = [...values.keys()].filter((series) => series.startsWith('system.linux.psi.pressure'))
    assert.equal(pressure.length, 5)
    assert.equal(values.has('system.cpu.utilization{cpu.mode="user"}'), false, 'the fixture stands still: no share')
  })

  it('reads a container: no PSI, no disks, no vmstat, an old kernel', async () => {
    const values = await readTwice('container')
    assert.equal(values.get('system.cpu.logical.count'), 1)
    assert.equal(
      values.get('system.memory.usage{system.memory.state="used"}'),
      (524288 - 200000 - 1000 - 100000) * 1024,
    )
    const io = 'system.network.io{network.interface.name="eth0@if7",network.io.direction="receive"}'
    assert.equal(values.get(io), 0)
    const absent = /psi|disk|paging|shared|slab|connection|file_descriptor/
    assert.deepEqual(
      [...values.keys()].filter((series) => absent.test(series)),
      [],
    )
    const filesystems = [...values.keys()].filter((series) => series.startsWith('system.filesystem.utilization'))
    assert.equal(filesystems.length, 1)
    assert.match(
      filesystems[0] ?? '',
      /mountpoint="\/",system.filesystem.state="used",system.filesystem.type="overlay"/,
    )
  })

  it('reads nothing where there is no /proc, without a throw', async () => {
    assert.equal((await readTwice('nowhere')).size, 0)
  })
})
