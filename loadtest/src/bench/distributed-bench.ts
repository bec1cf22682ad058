/**
 * `npm run bench -- --distributed`: what a million samples cost from the collector's door to closed minutes, Kafka, registry, Redis and
 * PostgreSQL included, in a steady minute: topics are made, partitions assigned and code compiled before, in two minutes of warm-up.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BenchProcess } from '../topics/bench-process.ts'
import type { BenchOptions } from './bench-options.ts'
import { cpuTable, diskTable, memoryTable, type Rounds, sendLines, stageTable } from './bench-report.ts'
import { keptFigures, renderTable } from './bench-table.ts'
import type { BenchDeps } from './contest.ts'
import { startPipeline } from './distributed-contestant.ts'
import { measureRun, type RunFigures, type RunOptions } from './measured-run.ts'
import { keepFigures, readPrevious } from './previous-run.ts'
import { batchCount, cellMs, type SendPlan } from './send-plan.ts'
import { stagesOfRun } from './staged-run.ts'

const minuteMs = 60_000
/** Two hundred topics are made in the first of them. */
const warmUpMinutes = 2
const warmUpCells = (warmUpMinutes * minuteMs) / cellMs
/** To prepare a body, at most; the run begins at a whole minute after all are. */
const prepareMs = 3
const floorMs = 1

interface Deps extends Pick<BenchDeps, 'folder' | 'say'> {
  readonly sender: BenchProcess
}

/** @returns whether every minute was right. */
export async function runDistributedBench(
  options: BenchOptions,
  { folder, say, interrupted }: BenchDeps,
): Promise<boolean> {
  const sender = new BenchProcess('../bench/sender.ts', {}, { profile: undefined })
  const work = distributed(options, { folder, say, sender })
  try {
    return await Promise.race([interrupted, work])
  } finally {
    await sender.end()
    await work.catch(() => {})
  }
}

async function distributed(options: BenchOptions, deps: Deps): Promise<boolean> {
  const { sender, say } = deps
  const runs: RunFigures[] = []
  let floorS = 0
  for (let round = 1; round <= options.rounds; round++) {
    say(`round ${round} of ${options.rounds}`)
    runs.push(
      await withPipeline(options, { ...deps, isProfiled: false }, (contestant, run) =>
        measureRun(contestant, run, { sender }),
      ),
    )
    floorS = (await sender.ask<{ cpuS: number }>('floor')).cpuS
  }
  const stages = options.withStages
    ? await withPipeline(options, { ...deps, isProfiled: true }, (contestant, run) =>
        stagesOfRun(contestant, { ...run, keptFolder: options.profile }, { sender, say }),
      )
    : undefined
  return report(options, { ours: { name: 'Minutely, distributed', runs }, floorS, stages, say })
}

/** A pipeline of its own, since topics, groups and tables are to be new. */
async function withPipeline<T>(
  options: BenchOptions,
  { folder, say, sender, isProfiled }: Deps & { isProfiled: boolean },
  work: (contestant: Awaited<ReturnType<typeof startPipeline>>['contestant'], run: RunOptions) => Promise<T>,
): Promise<T> {
  const logDir = join(folder, 'logs')
  await mkdir(logDir, { recursive: true })
  const pipeline = await startPipeline({ logDir, isProfiled }, { say })
  try {
    const cellCount = warmUpCells + (options.minutes * minuteMs) / cellMs
    const batches = cellCount * options.hosts
    const readyMs = Date.now() + (batches * options.metrics * (prepareMs + floorMs)) / 200
    const startMs = Math.ceil(readyMs / minuteMs) * minuteMs
    const plan: SendPlan = { hostCount: options.hosts, metricCount: options.metrics, startMs, cellCount }
    await sender.ask('prepare', { plan, format: 'avro', path: join(folder, 'avro') })
    const startsInS = ((startMs - Date.now()) / 1_000).toFixed(0)
    say(`${batchCount(plan)} bodies prepared; the first minute begins in ${startsInS} s and warms up`)
    return await work(pipeline.contestant, { plan, speed: 1, warmUpCells, folder: join(folder, 'storage') })
  } finally {
    await pipeline.stop()
  }
}

interface Report {
  readonly ours: Rounds
  /** Of all bodies, those of the warm-up included. */
  readonly floorS: number
  readonly stages: Awaited<ReturnType<typeof stagesOfRun>> | undefined
  readonly say: (text: string) => void
}

async function report(options: BenchOptions, { ours, floorS, stages, say }: Report): Promise<boolean> {
  const { hosts, metrics, minutes, rounds } = options
  const samples = ours.runs[0]?.samples ?? 0
  const floorSamples = (samples * (minutes + warmUpMinutes)) / minutes
  const seriesMinutes = hosts * metrics * (minutes + warmUpMinutes)
  const tables = [
    cpuTable(ours, { floorS, samples: floorSamples }),
    ...(stages ? [stageTable(stages, { samples })] : []),
    memoryTable(ours),
    diskTable(ours, seriesMinutes),
  ]
  const name = `distributed, ${hosts} hosts x ${metrics} metrics x ${minutes} min`
  const previous = await readPrevious(name)
  say(
    `\n${name}: ${(samples / 1e6).toFixed(1)} M samples after ${warmUpMinutes} minutes of warm-up, medians of ${rounds} rounds\n`,
  )
  for (const table of tables) say(`${renderTable(table, previous)}\n`)
  for (const line of sendLines(ours)) say(line)
  await keepFigures(name, keptFigures(tables))
  return ours.runs.every(({ finding }) => finding.problems.length === 0)
}
