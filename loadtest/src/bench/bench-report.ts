/** What the benchmark found, as tables: rounds to medians, CPU to CPU per million samples, contestants to ratios. Pure. */
import { median } from './bench-numbers.ts'
import type { Figure, FigureTable } from './bench-table.ts'
import type { RunFigures } from './measured-run.ts'
import type { DiskPart } from './postgres-look.ts'

/** All rounds of one contestant. */
export interface Rounds {
  readonly name: string
  readonly runs: readonly RunFigures[]
}

export interface StageCpu {
  readonly name: string
  readonly cpuS: number
}

const mebibyte = 1_048_576

/** CPU by process, medians of the rounds; the total is the median of totals, so it may differ from the sum. */
export function cpuTable({ runs }: Rounds, { floorS, samples }: { floorS: number; samples: number }): FigureTable {
  const names = [...new Set(runs.flatMap(({ cpu }) => cpu.map(({ name }) => name)))]
  const row = (name: string): Figure => ({
    name,
    value: median(runs.map((run) => perMillion(run.cpu.find((part) => part.name === name)?.cpuS ?? 0, run.samples))),
  })
  const totals = runs.map((run) => perMillion(run.totalCpuS, run.samples))
  const floor = perMillion(floorS, samples)
  return {
    title: 'process',
    unit: 'CPU-s per million samples',
    figures: [
      ...names.map(row),
      { name: '**total**', value: median(totals) },
      { name: 'floor: decompress and read once', value: floor },
    ],
  }
}

/** Each contestant beside the first, which is ours. */
export function contestTable(all: readonly Rounds[], seriesMinutes: number): FigureTable {
  const [ours] = all
  return {
    title: 'contestant',
    unit: 'CPU-s per million samples',
    columns: [
      'rounds',
      'ours to theirs',
      'rounds',
      'peak memory, MB',
      'disk, bytes per series-minute',
      'of it neither log nor WAL',
    ],
    figures: all.map(({ name, runs }) => {
      const totals = runs.map((run) => perMillion(run.totalCpuS, run.samples))
      const ratios = runs.map((run, round) => (ours?.runs[round]?.totalCpuS ?? Number.NaN) / run.totalCpuS)
      const digits = (values: readonly number[], count: number): string =>
        values.map((v) => v.toFixed(count)).join(', ')
      return {
        name,
        value: median(totals),
        more: [
          digits(totals, 3),
          name === ours?.name ? '' : median(ratios).toFixed(2),
          name === ours?.name ? '' : digits(ratios, 2),
          (median(runs.map(peakBytes)) / 1e6).toFixed(0),
          (median(runs.map(({ disk }) => bytesOf(disk))) / seriesMinutes).toFixed(1),
          (median(runs.map(({ disk }) => bytesOf(disk.filter(({ isBounded }) => !isBounded)))) / seriesMinutes).toFixed(
            1,
          ),
        ],
      }
    }),
  }
}

function peakBytes({ memory }: RunFigures): number {
  return memory.reduce((sum, part) => sum + part.peakBytes, 0)
}

function bytesOf(disk: readonly DiskPart[]): number {
  return disk.reduce((sum, part) => sum + part.bytes, 0)
}

export function memoryTable({ runs }: Rounds): FigureTable {
  const names = [...new Set(runs.flatMap(({ memory }) => memory.map(({ name }) => name)))]
  return {
    title: 'memory',
    unit: 'peak, MB',
    figures: names.map((name) => ({
      name,
      value: median(runs.map(({ memory }) => (memory.find((part) => part.name === name)?.peakBytes ?? 0) / 1e6)),
      digits: 0,
    })),
  }
}

/** The last round's; the log and the WAL are kept for a bounded time, so only minutes and blocks grow with what is kept. */
export function diskTable({ runs }: Rounds, seriesMinutes: number): FigureTable {
  const parts = (runs.at(-1)?.disk ?? []).filter(({ bytes }) => bytes > 0).toSorted((a, b) => b.bytes - a.bytes)
  return {
    title: 'disk',
    unit: 'bytes per series-minute',
    columns: ['MiB'],
    figures: parts.map(({ name, bytes }) => ({
      name,
      value: bytes / seriesMinutes,
      digits: 1,
      more: [(bytes / mebibyte).toFixed(1)],
    })),
  }
}

/** Of the run with a CPU profile: what is too small to be shown is summed. */
export function stageTable(stages: readonly StageCpu[], { samples }: { samples: number }): FigureTable {
  const total = stages.reduce((sum, { cpuS }) => sum + cpuS, 0)
  const shown = stages.filter(({ cpuS }) => cpuS / total >= 0.001).toSorted((a, b) => b.cpuS - a.cpuS)
  const rest = total - shown.reduce((sum, { cpuS }) => sum + cpuS, 0)
  const figure = (name: string, cpuS: number): Figure => ({
    name,
    value: perMillion(cpuS, samples),
    more: [`${((100 * cpuS) / total).toFixed(1)} %`],
  })
  return {
    title: 'stage',
    unit: 'CPU-s per million samples',
    columns: ['share'],
    figures: [
      ...shown.map(({ name, cpuS }) => figure(name, cpuS)),
      ...(rest > 0 ? [figure('all below 0.1 %', rest)] : []),
      figure('**total**', total),
    ],
  }
}

/** How the batches went, a line for each round. */
export function sendLines({ name, runs }: Rounds): string[] {
  return runs.flatMap(({ samples, send, finding }, round) => {
    const refused = Object.entries(send.refused).map(
      ([status, count]) => `${count} x ${status === '0' ? 'no answer' : status}`,
    )
    return [
      `${name}, round ${round + 1}: ${(samples / send.wallS / 1e3).toFixed(0)} k samples/s over ${send.wallS.toFixed(0)} s; ` +
        `POST p50 ${send.p50Ms.toFixed(0)} ms, p99 ${send.p99Ms.toFixed(0)} ms; sent ${send.behindMsMax.toFixed(0)} ms after due at most; ` +
        `refused: ${refused.join(', ') || 'none'}`,
      ...(finding.checked === '' ? [] : [`  checked: ${finding.checked}, ${finding.problems.length} wrong`]),
      ...[...finding.problems.slice(0, 10), ...finding.remarks].map((line) => `  ${line}`),
    ]
  })
}

function perMillion(cpuS: number, samples: number): number {
  return (cpuS * 1e6) / samples
}
