/** What a full disk says of itself; how the whole process fares on one is in all-in-one/test/disk-full.pg.test.ts. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import pino from 'pino'
import { Registry } from 'prom-client'
import { VirtualClock } from '../clock.ts'
import { DiskReserve } from './disk-reserve.ts'

const mebibyte = 1_048_576

async function setUp(t: TestContext, level: string) {
  const dataDir = await mkdtemp(join(tmpdir(), 'minutely-reserve-'))
  t.after(() => rm(dataDir, { recursive: true, force: true }))
  const { bavail, bsize } = await statfs(dataDir)
  // Twice of what is free, in whole MiB: the disk of any machine is too small.
  const reserveMebibytes = Math.ceil((2 * bavail * bsize) / mebibyte / 8) * 8 + 8
  const lines: { level: number; msg: string; err?: unknown; dataDir?: string }[] = []
  const log = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const clock = new VirtualClock(0)
  const reserveBytes = reserveMebibytes * mebibyte
  const reserve = new DiskReserve({ dataDir, reserveBytes }, { clock, log, registry: new Registry() })
  t.after(() => reserve.stop())
  return { dataDir, reserve, reserveMebibytes, lines }
}

test('both bounds are in one sentence: below what samples are refused, and from where on they are taken again', async (t) => {
  const { dataDir, reserve, reserveMebibytes, lines } = await setUp(t, 'info')
  await reserve.start()
  const words =
    `MiB are free on the disk of ${dataDir}, samples are refused below ${reserveMebibytes} MiB ` +
    `(MINUTELY_DISK_RESERVE_BYTES) and then taken again from ${(reserveMebibytes * 9) / 8} MiB on: make room`
  assert.ok(reserve.problem()?.endsWith(words), reserve.problem() ?? 'no problem')
  assert.deepEqual([lines.length, lines[0]?.msg.endsWith(words)], [1, true])
})

test('a disk that cannot be asked is one sentence, with its stack at debug only', async (t) => {
  const { dataDir, reserve, lines } = await setUp(t, 'debug')
  await rm(dataDir, { recursive: true })
  await reserve.start()
  assert.deepEqual(
    lines.map(({ level, err, dataDir: named }) => [level, err !== undefined, named]),
    [
      [40, false, dataDir],
      [20, true, dataDir],
    ],
  )
  assert.match(lines[0]?.msg ?? '', /^cannot see to the reserve of the disk; it is tried again: ENOENT/)
})
