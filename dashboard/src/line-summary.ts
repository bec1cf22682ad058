/** A chart in words, for those who do not see it: of each line the latest value, and lowest, highest and mean of the range. */
import type { Line } from './chart-lines.ts'
import { cellAt, fold } from './range-columns.ts'
import { formatValue, type Unit } from './unit.ts'

export function lineSummary(lines: readonly Line[], unit: Unit): string {
  return lines.map((line) => summaryOf(line, unit)).join('. ') || 'No samples in this range'
}

function summaryOf({ name, column }: Line, unit: Unit): string {
  const cells = column.avg.map((_, slot) => cellAt(column, slot)).filter((cell) => cell !== undefined)
  const latest = cells.at(-1)
  if (latest === undefined) return `${name}: no samples`
  const all = fold(cells)
  const text = (value: number) => formatValue(value, unit)
  return `${name}: latest ${text(latest.avg)}, min ${text(all.min)}, avg ${text(all.avg)}, max ${text(all.max)}`
}
