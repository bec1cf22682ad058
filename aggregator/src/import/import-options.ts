/** The arguments of `npm run import`: which files, of which format, and how their words are understood. Pure. */
import { parseArgs } from 'node:util'
import { type ImportFormat, importFormats } from './detect-format.ts'
import { type Mapping, timeUnits } from './line-parser.ts'

export const importUsage = `Usage: npm run import -- [options] file... | -

History into the store: JSON lines, CSV or VictoriaMetrics' export, plain, gzip or zstd; - is standard input. Importing a file again
changes nothing; the same command goes on where an interrupted one ended.

  --format jsonl|csv|victoria-metrics   told from the first line if absent
  --server-label name[,name]            label or column that names the server; the first that is there
                                        (default instance,host; in CSV before these serverId,server_id,server)
  --server-id name                      the server of what has none of them
  --metric-id name                      CSV: the metric of what has no column of it
  --metric-column, --time-column, --value-column name
  --delimiter c                         CSV: default a comma; tab for a tab
  --time-unit auto|s|ms|us|ns           of times that are numbers; auto goes by their size (default; in JSON lines ms)
  --tenant name                         default: default
  --again                               read a file anew that was imported before

The store is that of the data folder (MINUTELY_DATA_DIR, ./data), or MINUTELY_POSTGRES_URL; MINUTELY_RETENTION_HOURS as the aggregator has
it: what is older is left out.`

/** What was asked for makes no sense; the message is for the person who asked. */
export class ImportUsageError extends Error {
  override readonly name = 'ImportUsageError'
}

export interface ImportOptions {
  readonly files: readonly string[]
  /** Undefined: to be told from the file. */
  readonly format: ImportFormat | undefined
  readonly tenant: string
  readonly again: boolean
  readonly mapping: (format: ImportFormat) => Mapping
}

const labelsOfServer = ['instance', 'host']
const columnsOfServer = ['serverId', 'server_id', 'server', ...labelsOfServer]

/** @throws ImportUsageError */
export function parseImportOptions(args: readonly string[]): ImportOptions {
  const { positionals, values } = parse(args)
  if (positionals.length === 0) throw new ImportUsageError('Say which file')
  const unit = oneOf('--time-unit', values['time-unit'], timeUnits)
  const delimiter = values.delimiter === 'tab' ? '\t' : (values.delimiter ?? ',')
  if (delimiter.length !== 1 || delimiter === '"' || delimiter.charCodeAt(0) > 126) {
    throw new ImportUsageError(`--delimiter ${delimiter} is not one character`)
  }
  const serverLabels = values['server-label']?.split(',').map((name) => name.trim())
  const column = (name: string | undefined, others: readonly string[]): readonly string[] =>
    name === undefined ? others : [name]
  return {
    files: positionals,
    format: oneOf('--format', values.format, importFormats),
    tenant: values.tenant ?? 'default',
    again: values.again === true,
    mapping: (format) => ({
      serverLabels: serverLabels ?? (format === 'csv' ? columnsOfServer : labelsOfServer),
      serverId: values['server-id'],
      metricId: values['metric-id'],
      metricColumns: column(values['metric-column'], ['metricId', 'metric_id', 'metric', '__name__', 'name']),
      timeColumns: column(values['time-column'], ['ts', 'timestamp', 'time', 'timestamp_ms']),
      valueColumns: column(values['value-column'], ['value']),
      delimiter,
      timeUnit: unit ?? (format === 'jsonl' ? 'ms' : 'auto'),
    }),
  }
}

function parse(args: readonly string[]) {
  const name = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        format: name,
        'server-label': name,
        'server-id': name,
        'metric-id': name,
        'metric-column': name,
        'time-column': name,
        'value-column': name,
        delimiter: name,
        'time-unit': name,
        tenant: name,
        again: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new ImportUsageError((error as Error).message)
  }
}

function oneOf<W extends string>(option: string, written: string | undefined, words: readonly W[]): W | undefined {
  const word = words.find((one) => one === written)
  if (written === undefined || word !== undefined) return word
  throw new ImportUsageError(`${option} ${written} is none of ${words.join(', ')}`)
}
