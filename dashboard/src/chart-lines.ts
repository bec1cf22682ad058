/**
 * Which lines a metric's chart draws and what they are called. With several label sets, the eight with the highest mean are
 * drawn and the rest are named; a line is called by the labels in which the sets differ.
 */
import { linesMax } from './palette.ts'
import type { Column, RangeColumns } from './range-columns.ts'
import type { Unit } from './unit.ts'

export interface Line {
  readonly key: string
  readonly name: string
  /** Into the palette; belongs to the line, not to its rank, so that colours do not jump. */
  readonly colorIndex: number
  readonly column: Column
}

export interface Lines {
  readonly drawn: readonly Line[]
  /** Names of the lines that are not drawn, highest mean first. */
  readonly rest: readonly string[]
  /** What all of them have in common, and so no name says. */
  readonly shared: Labels
}

type Labels = Readonly<Record<string, string>>

/** Idle time is the rest of the others, and at 95 % it would flatten them: shown on request only. */
const quiet = new Set(['idle'])

export function isQuiet(line: { readonly column: Column }): boolean {
  return Object.values(line.column.labels).some((value) => quiet.has(value))
}

/** What everyone's eye is used to: the same colour on every server and page. By the last word of a line's name. */
const familiar: Readonly<Record<string, number>> = {
  user: 0,
  used: 0,
  read: 0,
  receive: 0,
  running: 0,
  system: 1,
  cached: 2,
  write: 1,
  transmit: 1,
  nice: 2,
  sleeping: 2,
  // Not next to `used` and `system` in hue: they are looked at together.
  buffers: 3,
  iowait: 3,
  softirq: 4,
  interrupt: 5,
  blocked: 5,
  steal: 6,
  idle: 7,
  free: 7,
}

/** A palette index for each name: the familiar ones first, the others take what is left in order of name. */
export function colorsOf(names: readonly string[]): number[] {
  const taken = new Map<number, string>()
  for (const name of names) {
    const wanted = familiar[name.split(' ').at(-1) ?? '']
    if (wanted !== undefined && !taken.has(wanted)) taken.set(wanted, name)
  }
  for (const name of names) {
    if ([...taken.values()].includes(name)) continue
    let index = 0
    while (taken.has(index)) index++
    taken.set(index, name)
  }
  const indexOf = new Map([...taken].map(([index, name]) => [name, index]))
  return names.map((name) => indexOf.get(name) ?? 0)
}

export function linesOf(range: RangeColumns, metricId: string): Lines {
  const columns = range.columns.filter((column) => column.metricId === metricId)
  const names = namesOf(columns)
  const ranked = columns
    .map((column) => ({ column, mean: mean(column), name: names.get(column.key) ?? '' }))
    .sort((a, b) => Number(isQuiet(a)) - Number(isQuiet(b)) || b.mean - a.mean || (a.name < b.name ? -1 : 1))
  const drawn = ranked
    .slice(0, linesMax)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .map(({ column, name }) => ({ key: column.key, name, column }))
  const colors = colorsOf(drawn.map(({ name }) => name))
  return {
    drawn: drawn.map((line, index) => ({ ...line, colorIndex: colors[index] ?? index })),
    rest: ranked.slice(linesMax).map(({ name }) => name),
    shared: sharedLabels(columns.map(({ labels }) => labels)),
  }
}

/** The labels that are the same in all sets. */
export function sharedLabels(labelSets: readonly Labels[]): Labels {
  const [first = {}, ...others] = labelSets
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((labels) => labels[name] === value)),
  )
}

/** shop="berlin", system.device="vda" */
export function labelsText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')
}

/** By key: the values of the labels that are not the same in all of them. */
export function namesOf(series: readonly { key: string; labels: Labels }[]): Map<string, string> {
  const all = [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))]
  const differing = all
    .filter((name) => new Set(series.map(({ labels }) => labels[name])).size > 1)
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  const nameBy = (labelNames: readonly string[], labels: Labels) =>
    labelNames.flatMap((name) => labels[name] ?? []).join(' ')
  const tellsApart = (labelNames: readonly string[]) =>
    new Set(series.map(({ labels }) => nameBy(labelNames, labels))).size === series.length
  let telling = differing
  for (const name of differing.filter((one) => secondary.test(one))) {
    const without = telling.filter((one) => one !== name)
    if (tellsApart(without)) telling = without
  }
  return new Map(
    series.map(({ key, labels }) => [key, nameBy(telling, labels) || Object.values(labels).join(' ') || 'value']),
  )
}

/** Said only when the others do not tell the lines apart: a mount point says more than its device. */
const secondary = /device$|\.type$|filesystem\.mode$/

/** How many rows the names and values of the lines take, so that a card has its height before its data arrives. */
export function pickerRows(names: readonly string[], widthPx: number, unit: Unit): number {
  // Swatch, gaps and value: "12.3 %", or as long as "1023 KiB/s".
  const besidesPx = unit === 'ratio' || unit === 'percent' ? 78 : 100
  const characterPx = 6.4
  let [rows, usedPx] = [1, 0]
  for (const name of names.slice(0, linesMax)) {
    const px = besidesPx + name.length * characterPx
    if (usedPx > 0 && usedPx + px > widthPx) [rows, usedPx] = [rows + 1, 0]
    usedPx += px
  }
  return names.length > linesMax && usedPx + 190 > widthPx ? rows + 1 : rows
}

/** Devices and interfaces before what was done with them: "eth0 receive". */
function rank(labelName: string): number {
  return /direction|state|mode|status|type/.test(labelName) ? 1 : 0
}

function mean(column: Column): number {
  let [sum, count] = [0, 0]
  for (const value of column.avg) {
    if (value === null) continue
    sum += Math.abs(value)
    count++
  }
  return count === 0 ? -1 : sum / count
}

/** Lowest and highest of the y axis: from zero where all is positive, with some air, never of no height. */
export function axisRange(dataMin: number | null, dataMax: number | null, unit: Unit): [min: number, max: number] {
  const low = Math.min(0, dataMin ?? 0)
  const high = Math.max(0, dataMax ?? 0)
  const least =
    unit === 'ratio' ? 0.01 : unit === 'bytes' || unit === 'bytesPerSecond' ? 1024 : unit === 'seconds' ? 0.001 : 1
  if (high - low === 0) return [0, least]
  const air = (high - low) * 0.08
  const top = unit === 'ratio' && high <= 1 ? Math.min(1, high + air) : high + air
  return [low < 0 ? low - air : 0, Math.max(top, unit === 'ratio' ? least : 0)]
}
