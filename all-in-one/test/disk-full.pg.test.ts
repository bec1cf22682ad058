/**
 * The disk of the data folder gets full, on a real file system of 640 MiB. Below the reserve samples are refused, with the reason, while
 * reads go on; with not one byte left PostgreSQL ends and is started again in what was held back for it, in the same process;
 * a start on a full disk works as well. When there is room all goes on by itself, and what is stored equals what was acknowledged.
 *
 * Senders repeat each request until it is acknowledged, as agents do, so that nothing that was sent may be missing in the end.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, open, readFile, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createPool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { awaitMinutes, readSeries } from './await-minutes.ts'
import { type EmbeddedChild, startChild, temporaryFolder } from './child-process.ts'
import { SampleModel } from './sample-model.ts'
import { requestsOf } from './send-samples.ts'

const run = promisify(execFile)
const mebibyte = 1_048_576
const reserveBytes = 128 * mebibyte
const minuteMs = 60_000
const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - 60 * minuteMs
const range = { fromMs: startMs, toMs: startMs + 50 * minuteMs }
const settings = { MINUTELY_DISK_RESERVE_BYTES: String(reserveBytes), MINUTELY_LATE_HOLD_MS: '200' }
const disk = await temporaryFolder('minutely-disk-')
const skip = await run('mount', ['-t', 'tmpfs', '-o', 'size=640m', 'tmpfs', disk]).then(
  () => false,
  (error: Error) => `needs root on Linux, to mount a small file system that can be full: ${error.message}`,
)

interface Refusal {
  readonly status: number
  readonly error: string
  readonly message: string
  readonly retryAfter: string | null
}

describe('the disk of the data folder is full', { skip, timeout: 400_000 }, () => {
  const model = new SampleModel()
  const refusals: Refusal[] = []
  let dataDir: string
  let child: EmbeddedChild
  let second = 0
  let finished = false
  let sending: Promise<unknown>

  before(async () => {
    dataDir = join(disk, 'data')
    await mkdir(dataDir)
    child = await startChild(dataDir, settings)
    sending = Promise.all(['a', 'b'].map((serverId) => sendForEver(serverId)))
    sending.catch(() => {})
  })
  after(async () => {
    finished = true
    await child.stop()
    // What a failed test leaves open in it must not keep the mount.
    await run('umount', ['--lazy', disk])
  })

  test('below the reserve samples are refused with what is free, where, and what to do; reads go on', async () => {
    await acknowledged(20)
    await fill(reserveBytes - 8 * mebibyte)
    const refusal = await refused()
    assert.equal(refusal.error, 'disk-full')
    assert.match(refusal.message, /\d+ MiB are free .*disk-.*128 MiB.*make room/)
    assert.ok(Number(refusal.retryAfter) >= 10)
    await readable()
    const ready = await fetch(`${child.url}/readyz`)
    assert.equal(ready.status, 503)
    assert.match(await ready.text(), /MiB are free/)
    assert.equal((await fetch(`${child.url}/healthz`)).status, 200)
    await makeRoom()
    await acknowledged(20)
  })

  test('with nothing left PostgreSQL ends, and is back by itself in what was held back for it', async () => {
    await acknowledged(20)
    const startedAs = await postmasterPid()
    await fill(0)
    await spendLog()
    await until(async () => (await postmasterPid()) !== startedAs && (await readable().then(() => true)))
    assert.equal((await refused()).error, 'disk-full')
    await readable()
    assert.match(child.output(), /the disk is full; starting it again/)
    await makeRoom()
    await acknowledged(20)
  })

  test('a start on a full disk: reads work, samples are refused, until there is room', async () => {
    await until(async () => (await freeBytes()) > 0 && (await holdsBack()))
    await fill(0)
    await child.kill()
    child = await startChild(dataDir, settings)
    assert.equal((await refused()).error, 'disk-full')
    await readable()
    await makeRoom()
    await acknowledged(20)
  })

  test('nothing that was acknowledged is lost, nothing counts twice', async () => {
    finished = true
    await sending
    assert.deepEqual((await awaitMinutes(child.url, model, range, 60_000)).slice(0, 5), [])
    assert.equal(await child.stop(), 0)
    child = await startChild(dataDir, settings)
    assert.deepEqual((await awaitMinutes(child.url, model, range, 30_000)).slice(0, 5), [])
  })

  let acknowledgedCount = 0
  async function sendForEver(serverId: string): Promise<void> {
    while (!finished) {
      const sample = { serverId, metricId: 'cpu', labels: {}, value: second % 100, ts: startMs + second++ * 1_000 }
      model.add(sample)
      const [request] = requestsOf([sample], { form: 'rows', encoding: 'identity' })
      assert.ok(request)
      const giveUpAtMs = Date.now() + 120_000
      while ((await sendOnce(request)) !== 202) {
        assert.ok(Date.now() < giveUpAtMs, 'not acknowledged within 120 s')
        await delay(20)
      }
      acknowledgedCount++
      // An hour of seconds has to do for the whole test.
      await delay(50)
    }
  }

  async function sendOnce({ headers, body }: ReturnType<typeof requestsOf>[number]): Promise<number> {
    try {
      const answer = await fetch(`${child.url}/v1/samples`, { method: 'POST', headers, body: new Uint8Array(body) })
      const said = (await answer.json()) as { error?: string; message?: string }
      if (answer.status === 202) return 202
      const retryAfter = answer.headers.get('retry-after')
      refusals.push({ status: answer.status, error: said.error ?? '', message: said.message ?? '', retryAfter })
      assert.equal(answer.status, 503, said.message)
      return answer.status
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      return 0
    }
  }

  async function acknowledged(count: number): Promise<void> {
    const target = acknowledgedCount + count
    await until(async () => acknowledgedCount >= target)
  }

  /** The first that comes from now on and says that the disk is full. */
  async function refused(): Promise<Refusal> {
    const from = refusals.length
    let found: Refusal | undefined
    await until(async () => {
      found = refusals.slice(from).find(({ error }) => error === 'disk-full')
      return found !== undefined
    })
    assert.ok(found)
    return found
  }

  async function readable(): Promise<void> {
    const { series } = await readSeries(child.url, 'a', range)
    assert.ok((series[0]?.count?.[0] ?? 0) > 0, 'the minutes of before are there')
  }

  /** Fails at once when the process ends. */
  async function until(isTrue: () => Promise<boolean>): Promise<void> {
    const ended = child.exited.then((code) => `the process ended with ${code}:\n${child.output()}`)
    for (const giveUpAtMs = Date.now() + 120_000; ; ) {
      if (await isTrue().catch(() => false)) return
      const words = await Promise.race([ended, delay(50, undefined)])
      assert.equal(words, undefined)
      assert.ok(Date.now() < giveUpAtMs, `not within 120 s; the process wrote:\n${child.output()}`)
    }
  }

  /** Takes all but so much. */
  async function fill(leftBytes: number): Promise<void> {
    const file = await open(join(disk, 'others'), 'a')
    const block = Buffer.alloc(mebibyte)
    try {
      for (;;) {
        const spareBytes = (await freeBytes()) - leftBytes
        if (spareBytes <= 0) return
        await file.write(block, 0, Math.min(block.length, spareBytes))
      }
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    } finally {
      await file.close()
    }
  }

  const makeRoom = (): Promise<void> => rm(join(disk, 'others'))
  async function freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(disk)
    return bavail * bsize
  }
  const holdsBack = (): Promise<boolean> =>
    readFile(join(dataDir, 'held-back')).then(
      ({ length }) => length === reserveBytes / 4,
      () => false,
    )

  async function postmasterPid(): Promise<number> {
    const text = await readFile(join(dataDir, 'database', 'cluster', 'postmaster.pid'), 'utf8')
    return Number(text.split('\n')[0])
  }

  /** Writes to PostgreSQL's log (its WAL) and nowhere else until that has no room, which ends the server. */
  async function spendLog(): Promise<void> {
    const lines = (await readFile(join(dataDir, 'database', 'cluster', 'postmaster.pid'), 'utf8')).split('\n')
    const password = (await readFile(join(dataDir, 'database', 'password'), 'utf8')).trim()
    const connection = { host: '127.0.0.1', port: Number(lines[3]), user: 'minutely', password, database: 'minutely' }
    const pool = createPool(connection, { name: 'test', connectionsMax: 1 }, { log: silentLog })
    await assert.rejects(async () => {
      for (;;) await pool.query(`select pg_logical_emit_message(false, 'test', repeat('x', 1000000))`)
    })
    await pool.end()
  }
})
