/** The command line of `npm run distributed`, checked. */
import { parseArgs } from 'node:util'

export const usage = `npm run distributed -- [options]

Runs the distributed form of Minutely on this machine as real processes, under the load of generated agents, until Ctrl-C.
Kafka, schema registry, Redis and PostgreSQL are those of KAFKA_BOOTSTRAP, SCHEMA_REGISTRY_URL, REDIS_URL and
MINUTELY_POSTGRES_URL; what these do not name is started, in a temporary folder that is removed at the end.

  --hosts, --metrics <n>       the agents: so many hosts, each with so many metrics, every second (50, 20)
  --collectors, --aggregators, --query-apis <n>      processes of each service (2, 3, 2)
  --history-hours <n>          begins with so many hours of minutes of all these series in a PostgreSQL of its own
  --minutes <n>                ends the load after so many minutes instead of at Ctrl-C
  --check                      then waits until all minutes are closed and compares every one with what was sent; the exit
                               code is 1 if one is wrong (with --minutes)
  --report <file>              writes what was measured there, as JSON
  --logs <folder>              where each service logs to (a temporary folder, kept)

Faults, spread over the time of the load (with --minutes):
  --kill-one                   kill -9 of one aggregator, which is not replaced
  --pause-one <seconds>        SIGSTOP of another for so long, then SIGCONT
  --stop-registry              the schema registry becomes unreachable for the services, for good
  --flush-redis                FLUSHALL (of a Redis of its own: it is started even if REDIS_URL names one), and how long until the
                               ring is whole again`

export interface DistributedOptions {
  readonly hosts: number
  readonly metrics: number
  readonly collectors: number
  readonly aggregators: number
  readonly queryApis: number
  /** 0: the database is as it is. */
  readonly historyHours: number
  /** Undefined: until it is stopped. */
  readonly minutes: number | undefined
  readonly mustCheck: boolean
  readonly report: string | undefined
  readonly logs: string | undefined
  readonly mustKillOne: boolean
  /** 0: nobody is paused. */
  readonly pauseS: number
  readonly mustStopRegistry: boolean
  readonly mustFlushRedis: boolean
}

const wholeNumbers = { hosts: '50', metrics: '20', collectors: '2', aggregators: '3', 'query-apis': '2' } as const
const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const

/** Undefined when only help was asked for. @throws Error with the usage in it, before what is wrong. */
export function readDistributedOptions(args: readonly string[]): DistributedOptions | undefined {
  try {
    return read(args)
  } catch (error) {
    throw new Error(`${usage}\n\n${(error as Error).message}`)
  }
}

function read(args: readonly string[]): DistributedOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...(Object.fromEntries(
        Object.entries(wholeNumbers).map(([name, value]) => [name, { ...text, default: value }]),
      ) as {
        [K in keyof typeof wholeNumbers]: { type: 'string'; default: string }
      }),
      minutes: text,
      'history-hours': text,
      check: flag,
      report: text,
      logs: text,
      'kill-one': flag,
      'pause-one': text,
      'stop-registry': flag,
      'flush-redis': flag,
      help: { ...flag, short: 'h' },
    },
  })
  if (values.help) return undefined
  const minutes = values.minutes === undefined ? undefined : positive('minutes', values.minutes)
  const pauseS = values['pause-one'] === undefined ? 0 : positive('pause-one', values['pause-one'])
  const hasFault = values['kill-one'] || pauseS > 0 || values['stop-registry'] || values['flush-redis']
  if (minutes === undefined && (hasFault || values.check)) throw new Error('faults and --check need --minutes')
  const aggregators = positive('aggregators', values.aggregators)
  const lost = Number(values['kill-one']) + Number(pauseS > 0)
  if (aggregators <= lost)
    throw new Error(`--aggregators ${aggregators}: one must be left when ${lost} are killed or paused`)
  return {
    hosts: positive('hosts', values.hosts),
    metrics: positive('metrics', values.metrics),
    collectors: positive('collectors', values.collectors),
    aggregators,
    queryApis: positive('query-apis', values['query-apis']),
    historyHours: values['history-hours'] === undefined ? 0 : positive('history-hours', values['history-hours']),
    minutes,
    mustCheck: values.check,
    report: values.report,
    logs: values.logs,
    mustKillOne: values['kill-one'],
    pauseS,
    mustStopRegistry: values['stop-registry'],
    mustFlushRedis: values['flush-redis'],
  }
}

function positive(name: string, written: string): number {
  if (/^\d+$/.test(written) && Number(written) > 0) return Number(written)
  throw new Error(`--${name} ${written}: must be a whole number above 0`)
}
