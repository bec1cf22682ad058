/** The command line of `npm run return`, checked. */
import { parseArgs } from 'node:util'

export const returnUsage = `npm run return -- [--agents 1000] [--backlog-minutes 60] [--metrics 10] [--seed 1]

Agents that kept what they measured while there was no collector come back to an embedded process, all within 8 s, and go on measuring.
Each has one request under way at a time, newest batch first. It ends with a verdict, when all of it is delivered: exact, no
process ended, live batches were not held up by the backlog. The exit code is 1 if not.

  --agents           how many
  --backlog-minutes  what each of them kept, a batch for each 15 s
  --metrics          of each agent, every second
  --seed             of the values`

export interface ReturnOptions {
  readonly agents: number
  readonly backlogMinutes: number
  readonly metrics: number
  readonly seed: number
}

/** @throws Error with the usage in it. */
export function readReturnOptions(args: readonly string[]): ReturnOptions | 'help' {
  const text = (value: string) => ({ type: 'string', default: value }) as const
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...{ agents: text('1000'), 'backlog-minutes': text('60'), metrics: text('10'), seed: text('1') },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return 'help'
    return {
      agents: positive('agents', values.agents),
      backlogMinutes: positive('backlog-minutes', values['backlog-minutes']),
      metrics: positive('metrics', values.metrics),
      seed: positive('seed', values.seed),
    }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${returnUsage}`)
  }
}

function positive(name: string, written: string): number {
  if (/^\d+$/.test(written) && Number(written) > 0) return Number(written)
  throw new Error(`--${name} ${written}: must be a whole number above 0`)
}
