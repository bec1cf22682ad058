/** The command line of `npm run chaos`, checked. */
import { parseArgs } from 'node:util'

export const usage = `npm run chaos -- [options]

Runs Minutely as real processes under the load of generated agents, breaks it for some minutes in an order that a seed decides,
lets it recover, and compares every minute with what was acknowledged. The exit code is 1 if one is wrong, 3 if all is right but the
report could not be written.
All servers are the run's own, in a temporary folder.

  --minutes <n>                how long it is broken (2; 0.5 is half a minute)
  --seed <n>                   the order of the faults (one of the clock, which is shown)
  --embedded                   one embedded process instead of the distributed form: without --collectors, --aggregators, --query-apis,
                               --brokers, --outage, --pause
  --only <kind,kind>           these kinds of faults only
  --list                       lists the kinds
  --hosts, --metrics <n>       the agents: so many hosts, each with so many metrics, every second (40, 10)
  --collectors, --aggregators, --query-apis <n>      processes of each service (2, 3, 2)
  --brokers 1|3                Kafka brokers; of three one is killed at a time, with replication 3 and two in sync (1)
  --outage <seconds>           how long PostgreSQL, Kafka or Redis is away, each lane once (by the seed, 2 min at most). Minutes have to be
                               completed at 5 times real time afterwards, so the run is 1.2 times as long and 2 min at least
  --pause <seconds>            how long a paused aggregator stands still (25, or 90 in runs of 10 min and longer)
  --report <file>              writes a short report there, as Markdown
  --logs <folder>              where services log to, kept (a temporary folder, removed after a run without a problem)`

export interface ChaosOptions {
  readonly minutes: number
  readonly seed: number
  readonly isEmbedded: boolean
  readonly only: readonly string[] | undefined
  readonly hosts: number
  readonly metrics: number
  readonly collectors: number
  readonly aggregators: number
  readonly queryApis: number
  readonly brokers: number
  /** Undefined: by the seed. */
  readonly outageMs: number | undefined
  readonly pauseMs: number
  readonly report: string | undefined
  readonly logs: string | undefined
}

export type ChaosCommand =
  | { readonly kind: 'help' }
  | { readonly kind: 'list'; readonly isEmbedded: boolean }
  | { readonly kind: 'run'; readonly options: ChaosOptions }

const longRunMinutes = 10
const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const

/** After an outage: until a minute is complete before it, and at 5 times real time behind it. */
const outageMinutesLeast = 2
const outageShare = 1.2
const ofDistributed = ['collectors', 'aggregators', 'query-apis', 'brokers', 'outage', 'pause'] as const

/** @throws Error with the usage in it, before what is wrong. */
export function readChaosCommand(args: readonly string[], { nowMs }: { nowMs: number }): ChaosCommand {
  try {
    return read(args, nowMs)
  } catch (error) {
    throw new Error(`${usage}\n\n${(error as Error).message}`)
  }
}

function read(args: readonly string[], nowMs: number): ChaosCommand {
  const { values } = parseArgs({
    args: withSigns(args),
    options: {
      minutes: { ...text, default: '2' },
      seed: { ...text, default: String(nowMs % 1_000_000) },
      embedded: flag,
      only: text,
      list: flag,
      hosts: { ...text, default: '40' },
      metrics: { ...text, default: '10' },
      collectors: text,
      aggregators: text,
      'query-apis': text,
      brokers: text,
      outage: text,
      pause: text,
      report: text,
      logs: text,
      help: { ...flag, short: 'h' },
    },
  })
  if (values.help) return { kind: 'help' }
  if (values.list) return { kind: 'list', isEmbedded: values.embedded }
  const unused = values.embedded ? ofDistributed.filter((name) => values[name] !== undefined) : []
  if (unused.length > 0)
    throw new Error(`--embedded is one process: ${unused.map((name) => `--${name}`).join(', ')} would have no effect`)
  const minutes = positive('minutes', values.minutes, /^\d+(\.\d+)?$/)
  const pauseS = positive('pause', values.pause ?? (minutes < longRunMinutes ? '25' : '90'))
  const aggregators = positive('aggregators', values.aggregators ?? '3')
  if (aggregators < 3) throw new Error(`--aggregators ${aggregators}: two may be broken at a time, so 3 at least`)
  const brokers = positive('brokers', values.brokers ?? '1')
  if (brokers !== 1 && brokers !== 3) throw new Error(`--brokers ${brokers}: there are 1 or 3`)
  const outageS = values.outage === undefined ? undefined : positive('outage', values.outage)
  const minutesMin = outageMinutesLeast + (outageShare * (outageS ?? 0)) / 60
  if (outageS !== undefined && minutes < minutesMin)
    throw new Error(`--outage ${outageS} takes --minutes ${Math.ceil(minutesMin)} at least, not ${minutes}`)
  if (values.pause !== undefined && pauseS >= minutes * 60)
    throw new Error(`--pause ${pauseS}: must be below the ${minutes * 60} s of the run`)
  return {
    kind: 'run',
    options: {
      minutes,
      seed: Number(values.seed) === 0 ? 0 : positive('seed', values.seed),
      isEmbedded: values.embedded,
      only: values.only?.split(',').map((name) => name.trim()),
      hosts: positive('hosts', values.hosts),
      metrics: positive('metrics', values.metrics),
      collectors: positive('collectors', values.collectors ?? '2'),
      aggregators,
      queryApis: positive('query-apis', values['query-apis'] ?? '2'),
      brokers,
      outageMs: outageS === undefined ? undefined : outageS * 1_000,
      pauseMs: pauseS * 1_000,
      report: values.report,
      logs: values.logs,
    },
  }
}

/** `--minutes -1` is a number to whoever wrote it, and to parseArgs an option without its value. */
function withSigns(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    const isBelow0 = (at: number): boolean => /^-\d/.test(args[at] ?? '') && /^--[a-z-]+$/.test(args[at - 1] ?? '')
    if (isBelow0(index)) return []
    return isBelow0(index + 1) ? [`${arg}=${args[index + 1]}`] : [arg]
  })
}

function positive(name: string, written: string, shape = /^\d+$/): number {
  if (shape.test(written) && Number(written) > 0) return Number(written)
  throw new Error(`--${name} ${written}: must be a ${shape.source.includes('.') ? '' : 'whole '}number above 0`)
}
