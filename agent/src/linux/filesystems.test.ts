/** statfs beside the readings: one that hangs stops neither readings nor, for long, shows old figures. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HostReading } from '../host/host-reading.ts'
import { type FilesystemSpace, Filesystems } from './filesystems.ts'

const mountinfo = '1 1 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /b rw - ext4 /dev/b rw\n'
const space: FilesystemSpace = { used: 30, free: 60, reserved: 10 }

describe('Filesystems', () => {
  it('gives the latest figures until they are 60 s old, and keeps one statfs at a time', async () => {
    let nowMs = 0
    let calls = 0
    let hangs = false
    const filesystems = new Filesystems({
      mountinfo: () => mountinfo,
      spaceOf: () => {
        calls += 1
        return hangs ? new Promise(() => {}) : Promise.resolve(space)
      },
      monotonicMs: () => nowMs,
    })
    const reading = new HostReading({ elapsedMsMax: 5000 })
    const read = (): number[] => {
      reading.begin(nowMs)
      filesystems.read(reading)
      return reading.samples.map(({ value }) => value)
    }
    assert.deepEqual(read(), [])
    await filesystems.settled()
    assert.deepEqual(read(), [30, 60, 10, 0.3333, 30, 60, 10, 0.3333])
    assert.equal(calls, 2)
    hangs = true
    nowMs = 20_000
    assert.equal(read().length, 8)
    nowMs = 59_000
    assert.equal(read().length, 8)
    assert.equal(calls, 3, 'the round that hangs is the only one')
    nowMs = 60_000
    assert.deepEqual(read(), [])
  })

  it('leaves out a filesystem that cannot be read or has no size', async () => {
    const filesystems = new Filesystems({
      mountinfo: () => mountinfo,
      spaceOf: async (mountpoint) => {
        if (mountpoint === '/') throw new Error('EACCES')
        return { used: 0, free: 0, reserved: 0 }
      },
      monotonicMs: () => 0,
    })
    const reading = new HostReading({ elapsedMsMax: 5000 })
    filesystems.read(reading)
    await filesystems.settled()
    reading.begin(1000)
    filesystems.read(reading)
    assert.deepEqual(reading.samples, [])
  })
})
