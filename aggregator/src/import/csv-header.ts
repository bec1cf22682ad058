/** The first line of a CSV file: which column is what. Columns that are nothing else are labels. Pure. */
import type { Mapping } from './line-parser.ts'

export interface CsvColumns {
  readonly names: readonly string[]
  /** Indexes of columns; -1: there is none. */
  readonly server: number
  readonly metric: number
  readonly time: number
  readonly value: number
}

/** What is wrong with the header, for the person who has the file. */
export class CsvHeaderError extends Error {
  override readonly name = 'CsvHeaderError'
}

/** @throws CsvHeaderError */
export function readCsvHeader(line: string, mapping: Mapping): CsvColumns {
  const names = splitCsv(line.replace(/^\uFEFF/, '').replace(/\r$/, ''), mapping.delimiter).map((name) => name.trim())
  const find = (wanted: readonly string[]): number => {
    const name = wanted.find((one) => names.includes(one))
    return name === undefined ? -1 : names.indexOf(name)
  }
  const columns = {
    names,
    server: find(mapping.serverLabels),
    metric: find(mapping.metricColumns),
    time: find(mapping.timeColumns),
    value: find(mapping.valueColumns),
  }
  const problem = problemOf(columns, mapping)
  if (problem !== undefined)
    throw new CsvHeaderError(`The header of the CSV is ${names.join(mapping.delimiter)}: ${problem}`)
  return columns
}

function problemOf({ server, metric, time, value }: CsvColumns, mapping: Mapping): string | undefined {
  const none = (what: string, wanted: readonly string[], option: string): string =>
    `no column is called ${wanted.join(' or ')}. Say which is the ${what} with ${option}`
  if (time < 0) return none('time', mapping.timeColumns, '--time-column')
  if (value < 0) return none('value', mapping.valueColumns, '--value-column')
  if (metric < 0 && mapping.metricId === undefined)
    return none('metric', mapping.metricColumns, '--metric-column, or its name with --metric-id')
  if (server < 0 && mapping.serverId === undefined)
    return none('server', mapping.serverLabels, '--server-label, or its name with --server-id')
  return undefined
}

/** Fields of a line, quoted or not; a quote within quotes is doubled. */
export function splitCsv(line: string, delimiter: string): string[] {
  const fields: string[] = []
  for (let at = 0; at <= line.length; ) {
    if (line[at] === '"') {
      const end = closingQuote(line, at + 1)
      fields.push(line.slice(at + 1, end).replaceAll('""', '"'))
      const next = line.indexOf(delimiter, end + 1)
      at = next < 0 ? line.length + 1 : next + 1
      continue
    }
    const next = line.indexOf(delimiter, at)
    const end = next < 0 ? line.length : next
    fields.push(line.slice(at, end))
    at = end + 1
  }
  return fields
}

function closingQuote(line: string, from: number): number {
  let at = line.indexOf('"', from)
  while (at >= 0 && line[at + 1] === '"') at = line.indexOf('"', at + 2)
  return at < 0 ? line.length : at
}
