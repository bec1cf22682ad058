/** The command line of `npm run bench:viewers`, checked. */
import { parseArgs } from 'node:util'

export const viewersUsage = `npm run bench:viewers -- [--viewers 1000] [--minutes 2] [--servers 200] [--metrics 50]

Sends a fleet's samples in real time, first without viewers, then with them, then without again, and prints how long after a minute is closed
its event is there, what ingest costs in each part, and the memory of the process that serves the viewers. 40 % of the viewers
watch a server, 40 % a metric, 20 % the fleet; three take nothing at all. Everything on loopback, in a temporary folder. Linux only.

  --viewers      live streams, from a process of its own
  --minutes      how long they watch; half of it before and half of it after without them, a minute at least
  --servers, --metrics  what is sent: every metric of every server, every second
  --distributed  collectors, aggregators and query APIs as processes of their own, with servers of their own
  --report       writes the result there`

export interface ViewersOptions {
  readonly viewers: number
  readonly minutes: number
  readonly servers: number
  readonly metrics: number
  readonly isDistributed: boolean
  readonly report: string | undefined
}

/** @throws Error with the usage in it, before what is wrong. */
export function readViewersOptions(args: readonly string[]): ViewersOptions | 'help' {
  const text = (value: string) => ({ type: 'string', default: value }) as const
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...{ viewers: text('1000'), minutes: text('2'), servers: text('200'), metrics: text('50') },
        ...{ report: { type: 'string' }, distributed: { type: 'boolean', default: false } },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return 'help'
    return {
      viewers: atLeast('viewers', values.viewers, 10),
      minutes: atLeast('minutes', values.minutes, 1),
      servers: atLeast('servers', values.servers, 1),
      metrics: atLeast('metrics', values.metrics, 1),
      isDistributed: values.distributed,
      report: values.report,
    }
  } catch (error) {
    throw new Error(`${viewersUsage}\n\n${(error as Error).message}`)
  }
}

function atLeast(name: string, written: string, min: number): number {
  if (/^\d{1,6}$/.test(written) && Number(written) >= min) return Number(written)
  throw new Error(`--${name} ${written}: must be a whole number of at least ${min}`)
}
