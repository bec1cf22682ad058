/**
 * What an import costs (`npm run import:bench`): makes a file of history, imports it into an empty database, then once more into another
 * one while it is killed again and again, and compares every minute of both with the generator.
 *
 * It prints wall time, CPU of the importer and of PostgreSQL, points/s, and CPU-s a million points.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createLogger } from '@minutely/lib/logging'
import { startEmbeddedServer } from '@minutely/lib/postgres/embedded-server'
import { createPool, type Pool } from '@minutely/lib/postgres/pool'
import { checkImport } from './check-import.ts'
import { type HistoryFormat, type HistoryShape, writeHistory } from './import-history.ts'
import { costOf, endedChildrenCpuS } from './process-cost.ts'

const usage = `Usage: npm run import:bench -- [--points 30000000] [--series 1000] [--step-ms 15000] [--format victoria-metrics|csv|jsonl]
  [--kills 5]`

const { values: options } = parseArgs({
  options: {
    points: { type: 'string', default: '30000000' },
    series: { type: 'string', default: '1000' },
    'step-ms': { type: 'string', default: '15000' },
    format: { type: 'string', default: 'victoria-metrics' },
    kills: { type: 'string', default: '5' },
  },
})
const main = fileURLToPath(new URL('../../aggregator/src/import/import-main.ts', import.meta.url))
const [points, seriesCount, stepMs] = [Number(options.points), Number(options.series), Number(options['step-ms'])]
const format = options.format as HistoryFormat
const hourMs = 3_600_000
const log = createLogger({ level: 'silent', format: 'json' })
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const grouped = (count: number): string => Math.round(count).toLocaleString('en-US')

if (
  ![points, seriesCount, stepMs, Number(options.kills)].every((number) => Number.isSafeInteger(number) && number >= 0)
) {
  process.stderr.write(`${usage}\n`)
  process.exit(2)
}

const pointsPerSeries = Math.ceil(points / seriesCount)
const spanMs = pointsPerSeries * stepMs
const shape: HistoryShape = {
  seriesCount,
  pointsPerSeries,
  stepMs,
  startMs: Math.floor((Date.now() - 4 * hourMs - spanMs) / 60_000) * 60_000,
}
const retentionHours = Math.ceil(spanMs / hourMs) + 48

const folder = await mkdtemp(join(tmpdir(), 'minutely-import-bench-'))
const path = join(folder, 'history')
let server: Awaited<ReturnType<typeof startEmbeddedServer>> | undefined
try {
  const bytes = await writeHistory(path, shape, format)
  say(
    `${grouped(seriesCount * pointsPerSeries)} points of ${grouped(seriesCount)} series, every ${stepMs} ms over ${(spanMs / hourMs).toFixed(1)} h, as ${format}: ${grouped(bytes / 1e6)} MB`,
  )
  server = await startEmbeddedServer({ dataDir: join(folder, 'data'), onProgress: () => {} })
  await measure(await createDatabase('at_once'))
  const kills = Number(options.kills)
  if (kills > 0) await interrupt(await createDatabase('interrupted'), kills)
} finally {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
}

async function createDatabase(name: string): Promise<string> {
  if (server === undefined) throw new Error('BUG: no server')
  const admin = createPool(server.connection, { name: 'bench', connectionsMax: 1 }, { log })
  await admin.query(`create database ${name}`)
  await admin.end()
  return name
}

function start(database: string): ChildProcess {
  if (server === undefined) throw new Error('BUG: no server')
  const { user, password, host, port } = server.connection
  const env = {
    ...process.env,
    MINUTELY_POSTGRES_URL: `postgres://${user}:${password}@${host}:${port}/${database}`,
    MINUTELY_RETENTION_HOURS: String(retentionHours),
  }
  return spawn(process.execPath, [main, '--format', format, path], { env, stdio: ['ignore', 'inherit', 'inherit'] })
}

async function measure(database: string): Promise<void> {
  const before = { postgresS: costOf(process.pid).descendants.cpuS, endedS: endedChildrenCpuS() }
  const startedMs = performance.now()
  const importer = start(database)
  const peak = watchPeak(importer)
  const [code] = await once(importer, 'exit')
  peak.stop()
  if (code !== 0) throw new Error(`the import ended with ${code}`)
  const wallS = (performance.now() - startedMs) / 1_000
  const importerS = endedChildrenCpuS() - before.endedS
  // What has ended is among the descendants.
  const postgresS = costOf(process.pid).descendants.cpuS - before.postgresS - importerS
  const count = seriesCount * pointsPerSeries
  const cpuS = importerS + postgresS
  say(
    `at once: ${wallS.toFixed(1)} s, ${grouped(count / wallS)} points/s; CPU: importer ${importerS.toFixed(1)} s, PostgreSQL ${postgresS.toFixed(1)} s, ${(cpuS / (count / 1e6)).toFixed(2)} s a million points; ${grouped(peak.bytes() / 1e6)} MB at most; load ${loadavg()[0]?.toFixed(1)}`,
  )
  await check(database)
}

/** The largest its memory was, as the kernel keeps it. */
function watchPeak({ pid }: ChildProcess): { stop(): void; bytes(): number } {
  let bytes = 0
  const look = (): void => {
    try {
      const [, kB] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
      bytes = Math.max(bytes, Number(kB ?? 0) * 1_024)
    } catch {
      // It has ended.
    }
  }
  const timer = setInterval(look, 200)
  return { stop: () => clearInterval(timer), bytes: () => bytes }
}

/** Killed at a random moment, wherever it happens to be. */
async function interrupt(database: string, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    const importer = start(database)
    const exit = once(importer, 'exit')
    const afterMs = 1_500 + Math.random() * 6_000
    await Promise.race([exit, delay(afterMs)])
    importer.kill('SIGKILL')
    const [code] = await exit
    say(code === 0 ? 'it was done before it was killed' : `killed after ${(afterMs / 1_000).toFixed(1)} s`)
  }
  const [code] = await once(start(database), 'exit')
  if (code !== 0) throw new Error(`the import ended with ${code}`)
  await check(database)
}

async function check(database: string): Promise<void> {
  if (server === undefined) throw new Error('BUG: no server')
  const pool: Pool = createPool({ ...server.connection, database }, { name: 'bench', connectionsMax: 1 }, { log })
  try {
    const { rows } = await pool.query<{ totals: { read: number; added: number; known: number } }>(
      'select totals from import_file',
    )
    const { minutes, points: found, problems } = await checkImport(pool, shape)
    const totals = rows[0]?.totals
    say(
      `checked ${grouped(minutes)} minutes of ${grouped(found)} points against the generator: ${problems.length === 0 ? 'all as they must be' : problems.join('\n')}; counted as added: ${grouped(totals?.added ?? 0)}, as known: ${grouped(totals?.known ?? 0)}`,
    )
    if (problems.length > 0) process.exitCode = 1
  } finally {
    await pool.end()
  }
}
