/** What became of a file, in lines for who imported it. Pure. */
import { type ImportTotals, refusedCount } from './import-counts.ts'
import { grouped } from './import-progress.ts'

export function summaryOf(name: string, totals: ImportTotals, durationMs: number): string[] {
  const { lines, read, added, known, duplicate, conflict, refused, examples } = totals
  const rows: [string, number][] = [
    ['lines', lines],
    ['points read', read],
    ['added', added],
    ['already there', known],
    ['twice in the file', duplicate],
    ['twice, with another value', conflict],
    ['refused', refusedCount(totals)],
  ]
  for (const [reason, count] of Object.entries(refused)) rows.push([`  ${reason}`, count])
  const width = Math.max(...rows.map(([, count]) => grouped(count).length))
  const shown = rows.filter(([what, count]) => count > 0 || what === 'points read' || what === 'added')
  return [
    `${name}: done after ${(durationMs / 1_000).toFixed(1)} s`,
    ...shown.map(([what, count]) => `  ${what.padEnd(28)} ${grouped(count).padStart(width)}`),
    ...(examples.length === 0 ? [] : ['  first of what was refused:', ...examples.map((example) => `    ${example}`)]),
  ]
}
