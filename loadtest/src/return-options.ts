/** The command line of `npm run return`, checked. */
import { parseArgs } from 'node:util'

export const returnUsage = `npm run return -- [--agents 1000] [--backlog-minutes 60] [--metrics 10] [--seed 1]

Agents that kept what they measured while there was no collector come back to an embedded process, all within 8 s, and go on measuring.
Each has one request under way at a time, newest batch first. It ends with a verdict, when all of it is delivered: exact, no
process ended, live batches were not held up by the backlog. The exit code is 1 if not.

  --agents           how many
  --backlog-minutes  what each of them kept, a batch for each 15 s; 2820 at most: older samples are past the retention of 48 h
                     before they are sent
  --metrics          of each agent, every second
  --seed             of the values`

export interface ReturnOptions {
  readonly agents: number
  readonly backlogMinutes: number
  readonly metrics: number
  readonly seed: number
}

/** An hour below the retention. */
const backlogMinutesMax = 2_820
/** Of all agents: two hours and more of work on two cores. */
const backlogBatchesMax = 2_000_000
const batchesPerMinute = 4

/** @throws Error with the usage in it, before what is wrong. */
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
    const agents = positive('agents', values.agents)
    const backlogMinutes = positive('backlog-minutes', values['backlog-minutes'])
    if (backlogMinutes > backlogMinutesMax)
      throw new Error(`--backlog-minutes ${backlogMinutes}: ${backlogMinutesMax} at most, older samples are refused`)
    const batches = agents * backlogMinutes * batchesPerMinute
    if (batches > backlogBatchesMax)
      throw new Error(
        `--agents ${agents} --backlog-minutes ${backlogMinutes}: these are ${batches} batches, ${backlogBatchesMax} may be`,
      )
    return {
      agents,
      backlogMinutes,
      metrics: positive('metrics', values.metrics),
      seed: positive('seed', values.seed),
    }
  } catch (error) {
    throw new Error(`${returnUsage}\n\n${(error as Error).message}`)
  }
}

function positive(name: string, written: string): number {
  if (/^\d+$/.test(written) && Number(written) > 0) return Number(written)
  throw new Error(`--${name} ${written}: must be a whole number above 0`)
}
