/** The rounds of the contest: in each round every contestant runs once, so that what else the machine does hits all of them alike. */
import { join } from 'node:path'
import { BenchProcess } from '../topics/bench-process.ts'
import type { BenchOptions } from './bench-options.ts'
import { contestTable, cpuTable, diskTable, memoryTable, type Rounds, sendLines, stageTable } from './bench-report.ts'
import { type FigureTable, keptFigures, renderTable } from './bench-table.ts'
import type { Contestant } from './contestant.ts'
import { embeddedContestant } from './embedded-contestant.ts'
import { measureRun, type RunFigures } from './measured-run.ts'
import { findPeers } from './peers.ts'
import { keepFigures, readPrevious } from './previous-run.ts'
import { batchCount, cellMs, type SendPlan, sampleCount } from './send-plan.ts'
import { stagesOfRun } from './staged-run.ts'

export interface BenchDeps {
  /** For bodies and storage; removed by whoever made it. */
  readonly folder: string
  readonly say: (text: string) => void
  /** Rejects when the run must end. */
  readonly interrupted: Promise<never>
}

/** @returns whether every minute was right. */
export async function runContest(options: BenchOptions, { folder, say, interrupted }: BenchDeps): Promise<boolean> {
  const minuteMs = 60_000
  const plan: SendPlan = {
    hostCount: options.hosts,
    metricCount: options.metrics,
    // Of times that are over, since Prometheus takes none that are to come.
    startMs: Math.floor(Date.now() / minuteMs) * minuteMs - options.minutes * minuteMs,
    cellCount: (options.minutes * minuteMs) / cellMs,
  }
  const { contestants: peers, missing } = options.withPeers ? findPeers() : { contestants: [], missing: [] }
  for (const line of missing) say(line)
  const sender = new BenchProcess('../bench/sender.ts', {}, { profile: undefined })
  const work = contest(options, { plan, peers, sender, folder, say })
  try {
    return await Promise.race([interrupted, work])
  } finally {
    // Without its sender a run fails, and stops what it had started.
    await sender.end()
    await work.catch(() => {})
  }
}

interface Contest {
  readonly plan: SendPlan
  readonly peers: readonly Contestant[]
  readonly sender: BenchProcess
  readonly folder: string
  readonly say: (text: string) => void
}

async function contest(options: BenchOptions, { plan, peers, sender, folder, say }: Contest): Promise<boolean> {
  const { speed } = options
  const samples = sampleCount(plan)
  for (const format of peers.length > 0 ? (['avro', 'remote-write'] as const) : (['avro'] as const)) {
    const { bytes } = await sender.ask<{ bytes: number }>('prepare', { plan, format, path: join(folder, format) })
    say(
      `${batchCount(plan)} bodies prepared, ${format}: ${(bytes / 1e6).toFixed(0)} MB, ${(bytes / samples).toFixed(2)} bytes a sample`,
    )
  }
  const { cpuS: floorS } = await sender.ask<{ cpuS: number }>('floor')
  const all = [embeddedContestant, ...peers]
  const runsOf = new Map(all.map(({ name }) => [name, [] as RunFigures[]]))
  const runOptions = { plan, speed, warmUpCells: 0, folder: join(folder, 'storage') }
  for (let round = 1; round <= options.rounds; round++) {
    for (const contestant of all) {
      say(`round ${round} of ${options.rounds}: ${contestant.name}`)
      runsOf.get(contestant.name)?.push(await measureRun(contestant, runOptions, { sender }))
    }
  }
  const rounds: Rounds[] = [...runsOf].map(([name, runs]) => ({ name, runs }))
  const [ours] = rounds
  if (ours === undefined) throw new Error('BUG: nobody ran')
  const staged = options.withStages
    ? await stagesOfRun(embeddedContestant, { ...runOptions, keptFolder: options.profile }, { sender, say })
    : undefined
  const seriesMinutes = plan.hostCount * plan.metricCount * options.minutes
  const tables: FigureTable[] = [
    cpuTable(ours, { floorS, samples }),
    ...(staged ? [stageTable(staged, { samples })] : []),
    memoryTable(ours),
    diskTable(ours, seriesMinutes),
    ...(peers.length > 0 ? [contestTable(rounds, seriesMinutes)] : []),
  ]
  const { hosts, metrics, minutes, form } = options
  const name = `${form}, ${hosts} hosts x ${metrics} metrics x ${minutes} min, speed ${speed}`
  const previous = await readPrevious(name)
  say(`\n${name}: ${(samples / 1e6).toFixed(1)} M samples, medians of ${options.rounds} rounds\n`)
  for (const table of tables) say(`${renderTable(table, previous)}\n`)
  for (const each of rounds) for (const line of sendLines(each)) say(line)
  await keepFigures(name, keptFigures(tables))
  return ours.runs.every(({ finding }) => finding.problems.length === 0)
}
