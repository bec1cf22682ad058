/** Parsers of disks, interfaces, mounts, memory and pressure: odd names, old layouts, bounds, hostile text. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { disksMax, parseDisks, wholeDisks } from './disks.ts'
import { parseMemory } from './memory.ts'
import { mountsMax, parseMounts } from './mounts.ts'
import { interfacesMax, parseInterfaces, parseTcpEstablished, parseTcpTimeWait } from './networks.ts'
import { parsePressure } from './pressure.ts'

const counters = (length: number) => fc.array(fc.maxSafeNat(), { minLength: length, maxLength: length })

describe('parseDisks', () => {
  it('reads names with slashes and leaves partitions, images and RAM disks out', () => {
    const line = '1 2 3 4 5 6 7 8 9 10 11'
    const names = ['loop0', 'ram1', 'zram0', 'cciss/c0d0', 'cciss/c0d0p1', 'xvda1', 'sr0']
    const text = names.map((name) => ` 104       0 ${name} ${line}`).join('\n')
    const disks = parseDisks(text, wholeDisks(['loop0', 'ram1', 'zram0', 'cciss!c0d0', 'xvda1', 'sr0']))
    assert.deepEqual(
      disks.map(({ name }) => name),
      ['cciss/c0d0', 'xvda1'],
    )
    assert.deepEqual(disks[0], {
      name: 'cciss/c0d0',
      reads: 1,
      readBytes: 3 * 512,
      readS: 0.004,
      writes: 5,
      writtenBytes: 7 * 512,
      writeS: 0.008,
      busyS: 0.01,
    })
  })

  it('leaves out short lines (partitions before 2.6.25) and stops at its bound', () => {
    assert.deepEqual(parseDisks('8 1 sda1 1 2 3 4\n', null), [])
    const many = Array.from({ length: 100 }, (_, index) => `8 0 sd${index} 1 2 3 4 5 6 7 8 9 10 11`).join('\n')
    assert.equal(parseDisks(many, null).length, disksMax)
  })

  it('reads any counters (property)', () => {
    fc.assert(
      fc.property(counters(17), (numbers) => {
        const [disk] = parseDisks(`8 0 sda ${numbers.join(' ')}`, null)
        assert.equal(disk?.reads, numbers[0])
        assert.equal(disk?.writes, numbers[4])
        assert.equal(disk?.busyS, (numbers[9] ?? 0) / 1000)
      }),
    )
  })
})

describe('parseInterfaces', () => {
  it('reads aliases, and counters that touch the colon', () => {
    const numbers = '1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0'
    const text = `Inter-|   Receive |  Transmit\n face |bytes |bytes\neth0:${numbers}\n  eth0:1: ${numbers}\n`
    const found = parseInterfaces(text, /^lo$/)
    assert.deepEqual(
      found.map(({ name }) => name),
      ['eth0', 'eth0:1'],
    )
    assert.deepEqual(found[0]?.received, { bytes: 1, packets: 2, errors: 3, dropped: 4 })
    assert.deepEqual(found[0]?.sent, { bytes: 5, packets: 6, errors: 7, dropped: 8 })
  })

  it('leaves out what is ignored and stops at its bound', () => {
    const line = (name: string) => `${name}: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0`
    const text = ['lo', ...Array.from({ length: 500 }, (_, index) => `veth${index}`), 'eth0'].map(line).join('\n')
    assert.deepEqual(
      parseInterfaces(text, /^(?:lo|veth.*)$/).map(({ name }) => name),
      ['eth0'],
    )
    assert.equal(parseInterfaces(text, /^$/).length, interfacesMax)
  })

  it('reads any name and counters (property)', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9@:._-]{0,13}[a-z0-9]$/)
    fc.assert(
      fc.property(name, counters(16), (interfaceName, numbers) => {
        const [found] = parseInterfaces(`  ${interfaceName}: ${numbers.join(' ')}\n`, /^$/)
        assert.equal(found?.name, interfaceName)
        assert.equal(found?.sent.bytes, numbers[8])
      }),
    )
  })
})

describe('TCP connections', () => {
  it('finds its columns by name and refuses files without them', () => {
    assert.equal(parseTcpEstablished('Tcp: A CurrEstab B\nTcp: -1 57 3\n'), 57)
    assert.equal(parseTcpEstablished('Tcp: A B\nTcp: 1 2\n'), undefined)
    assert.equal(parseTcpEstablished(''), undefined)
    assert.equal(parseTcpTimeWait('sockets: used 412\nTCP: inuse 27 orphan 0 tw 3 alloc 61 mem 12\n'), 3)
    assert.equal(parseTcpTimeWait('UDP: inuse 1\n'), undefined)
  })
})

describe('parseMounts', () => {
  const mount = (rest: string) => `51 28 ${rest}`
  it('decodes names, takes a device once at its shortest path, and leaves remote and made-up ones out', () => {
    const text = [
      mount('259:1 / /srv/data\\040one rw shared:30 master:2 - xfs /dev/nvme0n1p1 rw'),
      mount('259:1 /sub /srv/bind/of/the/same rw - xfs /dev/nvme0n1p1 rw'),
      mount('8:1 / / rw - ext4 /dev/sda1 rw'),
      mount('0:60 / /mnt/nfs rw - nfs4 server:/export rw'),
      mount('0:61 / /run rw - tmpfs tmpfs rw'),
      mount('0:62 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw'),
      mount('104:1 / /srv/caf\\303\\251 rw - ext3 /dev/cciss/c0d0p1 rw'),
    ].join('\n')
    assert.deepEqual(parseMounts(text), [
      { device: '/dev/sda1', mountpoint: '/', type: 'ext4' },
      { device: '/dev/cciss/c0d0p1', mountpoint: '/srv/café', type: 'ext3' },
      { device: '/dev/nvme0n1p1', mountpoint: '/srv/data one', type: 'xfs' },
    ])
  })

  it('is bounded, and survives any text (property)', () => {
    const many = Array.from({ length: 100 }, (_, index) => mount(`8:${index} / /m${index} rw - ext4 /dev/x rw`))
    assert.equal(parseMounts(many.join('\n')).length, mountsMax)
    const text = fc.string({ unit: fc.constantFrom(' ', '\n', '-', '/', 'ext4', '\\040', '8:1') })
    fc.assert(fc.property(text, (mountinfo) => assert.ok(parseMounts(mountinfo).length <= mountsMax)))
  })
})

describe('parseMemory', () => {
  it('never has more in use than there is (property)', () => {
    const kib = fc.nat(2 ** 31 - 1)
    fc.assert(
      fc.property(kib, kib, fc.option(kib), (total, free, available) => {
        const line = available === null ? '' : `MemAvailable: ${available} kB\n`
        const memory = parseMemory(`MemTotal: ${total} kB\nMemFree: ${free} kB\n${line}`)
        assert.ok(memory !== undefined && memory.used >= 0 && memory.used <= memory.limit)
      }),
    )
    assert.equal(parseMemory('MemTotal: many kB\n'), undefined)
  })
})

describe('parsePressure', () => {
  it('reads totals in microseconds, with or without `full` (before 5.13, cpu has none)', () => {
    const some = 'some avg10=0.35 avg60=0.63 avg300=0.70 total=18902405\n'
    assert.deepEqual(parsePressure(some), { some: 18.902405, full: undefined })
    assert.deepEqual(parsePressure(`${some}full avg10=0.00 avg60=0.00 avg300=0.00 total=1\n`), {
      some: 18.902405,
      full: 0.000001,
    })
    assert.deepEqual(parsePressure(''), { some: undefined, full: undefined })
  })
})
