/** `npm run import` as a process: beside a Minutely that runs, on a data folder of one that does not, and killed with -9. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startEmbeddedServer } from '@minutely/lib/postgres/embedded-server'
import { createPool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { storedTable } from '../minute-model.ts'
import { csvLines, type TestPoint, tableOf } from './test-import.ts'

const main = new URL('./import-main.ts', import.meta.url).pathname
let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'minutely-import-main-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const startMs = Math.floor(Date.now() / 3_600_000 - 20) * 3_600_000
const points: readonly TestPoint[] = ['a', 'b', 'c'].flatMap((name) =>
  Array.from({ length: 40_000 }, (_, index) => ({ name, atMs: startMs + index * 1_500, value: index % 1_000 })),
)

interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | null; said: string }>
}

function run(args: readonly string[], settings: Readonly<Record<string, string>> = {}): Run {
  const env = { PATH: process.env['PATH'], MINUTELY_DATA_DIR: join(folder, 'data'), ...settings }
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (text) => {
    said += String(text)
  })
  return { child, ended: once(child, 'close').then(([code]) => ({ code, said })) }
}

test('without a database, or with arguments that make no sense, it says what to do', async () => {
  const nothing = await run(['x']).ended
  assert.equal(nothing.code, 1)
  assert.match(nothing.said, /there is no database in .* Set MINUTELY_DATA_DIR/)
  const wrong = await run(['--format', 'xml', 'x']).ended
  assert.equal(wrong.code, 2)
  assert.match(wrong.said, /--format xml is none of jsonl, csv, victoria-metrics\n\nUsage/)
})

test('beside a server that runs, killed again and again, it brings in everything once; then on its own', async () => {
  const dataDir = join(folder, 'data')
  const path = join(folder, 'history.csv')
  await writeFile(path, csvLines(points))
  const server = await startEmbeddedServer({ dataDir, onProgress: () => {} })
  // A handful of batches.
  const settings = { MINUTELY_IMPORT_MEMORY_BYTES_MAX: '1048576' }
  for (const afterMs of [900, 1_300, 1_700]) {
    const { child, ended } = run([path], settings)
    await Promise.race([ended, delay(afterMs + Math.random() * 400)])
    child.kill('SIGKILL')
    await ended
  }
  const done = await run([path], settings).ended
  assert.equal(done.code, 0, done.said)
  const pool = createPool(server.connection, { name: 'test', connectionsMax: 2 }, { log: silentLog })
  const { rows } = await pool.query<{ totals: { read: number; added: number } }>('select totals from import_file')
  assert.deepEqual([rows[0]?.totals.read, rows[0]?.totals.added], [points.length, points.length])
  assert.deepEqual(await storedTable(pool), tableOf(points))
  await pool.end()
  await server.stop()
  const alone = await run(['--again', path], settings).ended
  assert.equal(alone.code, 0, alone.said)
  assert.match(alone.said, /no Minutely runs on .*: its database is started/)
  assert.match(alone.said, /added +0\n +already there +120,000/)
})
