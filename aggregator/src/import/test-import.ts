/** For tests of imports: files in a temporary folder, a run of the command on a database, and what must come out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import type { Pool } from '@minutely/lib/postgres/pool'
import { MinuteModel, type ModelTable } from '../minute-model.ts'
import { hourAtMs, type Part } from '../sealing/test-sealing.ts'
import { type ImportDeps, runImport, type StoreConfig } from './import-command.ts'
import type { ImportTotals } from './import-counts.ts'
import { parseImportOptions } from './import-options.ts'
import type { ImportConfig } from './import-settings.ts'

/** 40 hours after the hour that tests of sealing seal. */
export const nowMs = hourAtMs + 40 * 3_600_000

export const importConfig: ImportConfig & StoreConfig = {
  memoryBytesMax: 64 << 20,
  lineBytesMax: 1 << 20,
  liveLagMsMax: 0,
  niceness: 0,
  retentionHours: 48,
  hourRetentionDays: 400,
  retentionByMetric: [],
  sealAfterMinutes: 60,
  ringHours: 48,
}

const folder = mkdtempSync(join(tmpdir(), 'minutely-import-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let fileCount = 0

export function writeHistory(content: string | Buffer): string {
  const path = join(folder, `history-${++fileCount}`)
  writeFileSync(path, content)
  return path
}

export interface ImportRun {
  readonly args: readonly string[]
  readonly config?: Partial<ImportConfig & StoreConfig>
  readonly reached?: ImportDeps['reached']
  readonly stdin?: Readable
  /** The clock goes on when it is done. */
  readonly onWait?: (lagMs: number) => Promise<void>
  readonly clock?: VirtualClock
}

/** @returns what became of the points of the last file, and what was said. */
export async function importInto(pool: Pool, run: ImportRun): Promise<{ totals: ImportTotals; said: string[] }> {
  const said: string[] = []
  const clock = run.clock ?? new VirtualClock(nowMs)
  const results = await runImport(
    parseImportOptions(run.args),
    { ...importConfig, ...run.config },
    {
      pool,
      clock,
      stdin: run.stdin ?? Readable.from([]),
      say: (line) => said.push(line),
      createProgress: () => ({
        update: () => {},
        wait: (lagMs) => void run.onWait?.(lagMs).then(() => clock.advance(1_000)),
        stop: () => {},
      }),
      ...(run.reached && { reached: run.reached }),
    },
  )
  const totals = results.at(-1)
  if (totals === undefined) throw new Error('BUG: nothing was imported')
  return { totals, said }
}

export interface TestPoint {
  readonly name: string
  readonly atMs: number
  readonly value: number
}

/** As tests of sealing have it. */
export const server = 'server'

/** Lines of VictoriaMetrics, `perLine` points each, in the order of the points. */
export function victoriaLines(points: readonly TestPoint[], perLine = 100): string {
  const lines: string[] = []
  for (let from = 0; from < points.length; ) {
    const name = points[from]?.name
    let to = from
    while (to < points.length && to - from < perLine && points[to]?.name === name) to++
    const part = points.slice(from, to)
    const metric = { __name__: name, instance: server }
    lines.push(
      JSON.stringify({ metric, values: part.map(({ value }) => value), timestamps: part.map(({ atMs }) => atMs) }),
    )
    from = to
  }
  return `${lines.join('\n')}\n`
}

export function csvLines(points: readonly TestPoint[]): string {
  return ['ts,instance,metric,value', ...points.map(({ name, atMs, value }) => `${atMs},${server},${name},${value}`)]
    .join('\n')
    .concat('\n')
}

/** The samples of a live part. */
export function pointsOf({ startMs, rows }: Part): TestPoint[] {
  return rows.flatMap(({ name, values }) =>
    values.flatMap((value, second) => (value === null ? [] : { name, atMs: startMs + second * 1_000, value })),
  )
}

/** What the store must have after points in this order. */
export function tableOf(points: readonly TestPoint[]): ModelTable {
  const model = new MinuteModel()
  for (const { name, atMs, value } of points) {
    const startMs = Math.floor(atMs / 1_000) * 1_000
    model.add(server, { startMs, stepMs: 1_000 }, [{ series: { metricId: name, labels: {} }, values: [value] }])
  }
  return model.table()
}
