/** The command line of `npm run hostile`, checked. */
import { parseArgs } from 'node:util'

export const hostileUsage = `npm run hostile -- [--seconds 20]

Ordinary hosts send ten requests a second to an embedded process, in turns without and with a program beside them that sends hostile
requests. The exit code is 1 when that makes their p99 twice as long, memory 64 MiB higher, or one of their requests fail. Linux only.

  --seconds          of each of the six turns`

export interface HostileOptions {
  readonly seconds: number
}

/** @throws Error with the usage in it, before what is wrong. */
export function readHostileOptions(args: readonly string[]): HostileOptions | 'help' {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: 'string', default: '20' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return 'help'
    if (/^\d+$/.test(values.seconds) && Number(values.seconds) > 0) return { seconds: Number(values.seconds) }
    throw new Error(`--seconds ${values.seconds}: must be a whole number above 0`)
  } catch (error) {
    throw new Error(`${hostileUsage}\n\n${(error as Error).message}`)
  }
}
