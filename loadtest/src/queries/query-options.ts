/** The command line of `npm run bench:queries`, checked. */
import { parseArgs } from 'node:util'

export const queryUsage = `npm run bench:queries -- [--servers 100] [--metrics 100] [--hours 48] [--n 200]

Asks an embedded process, VictoriaMetrics and, where it is at hand, Prometheus the same five questions about the same minutes, in turns, and
prints latency, CPU and bytes of each, as ratios to VictoriaMetrics. All of it on loopback, in a temporary folder. Linux only.

  --servers, --metrics, --hours  the minutes there are, of each metric of each server
  --n                            how often each question is asked, after as many to warm up
  --data                         a folder to prepare the minutes in, or where they are already; it is kept
  --skip                         prometheus, or victoria-metrics,prometheus for none
  --only                         numbers of the questions, for example 1,4
  --report                       writes the table there
  --profile                      writes CPU profiles of our Node process into this folder

VICTORIA_METRICS_BIN and PROMETHEUS_BIN say where they are, if they are not victoria-metrics and prometheus on PATH.`

export interface QueryOptions {
  readonly servers: number
  readonly metrics: number
  readonly hours: number
  readonly n: number
  readonly data: string | undefined
  readonly skip: readonly string[]
  readonly only: readonly number[]
  readonly report: string | undefined
  readonly profile: string | undefined
}

/** @throws Error with the usage in it, before what is wrong. */
export function readQueryOptions(args: readonly string[]): QueryOptions | 'help' {
  const text = (value: string) => ({ type: 'string', default: value }) as const
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...{
          servers: text('100'),
          metrics: text('100'),
          hours: text('48'),
          n: text('200'),
          skip: text(''),
          only: text(''),
        },
        ...{ data: { type: 'string' }, report: { type: 'string' }, profile: { type: 'string' } },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return 'help'
    const { data, report, profile } = values
    const list = (written: string): string[] => written.split(',').filter((item) => item !== '')
    const unknown = list(values.skip).find((name) => !['victoria-metrics', 'prometheus'].includes(name))
    if (unknown !== undefined) throw new Error(`--skip ${unknown}: there are victoria-metrics and prometheus`)
    return {
      servers: positive('servers', values.servers),
      metrics: positive('metrics', values.metrics),
      hours: positive('hours', values.hours),
      n: positive('n', values.n),
      skip: list(values.skip),
      only: list(values.only).map((number) => positive('only', number)),
      data,
      report,
      profile,
    }
  } catch (error) {
    throw new Error(`${queryUsage}\n\n${(error as Error).message}`)
  }
}

function positive(name: string, written: string): number {
  if (/^\d+$/.test(written) && Number(written) > 0) return Number(written)
  throw new Error(`--${name} ${written}: must be a whole number above 0`)
}
