/** The command line of `npm run simulate`, checked. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { brokenVariants, formerVariants, soundVariant, variantNamed } from './variants.ts'

export const usage = `npm run simulate -- [options]

Runs the whole pipeline, agents to readers, in virtual time with faults drawn from a seed, and compares every minute with what was
sent. A seed is one run: it goes the same way every time.

  --seeds <n>         so many seeds (1000), each a run of some minutes
  --from <n>          the first of them (1)
  --seed <n>          only this one, with a trace: instants of true time, who, what
  --variant <name>    an aggregator that is broken on purpose; the exit code is 0 when it is caught:
                      ${[...brokenVariants, ...formerVariants].map(({ name }) => name).join(', ')}
  --workers <n>       threads (one for each core)`

export interface SimulateOptions {
  readonly from: number
  readonly count: number
  /** One seed, shown in full. */
  readonly isTraced: boolean
  readonly variantName: string
  readonly workers: number
}

/** Undefined when only help was asked for. @throws Error with the usage in it, before what is wrong. */
export function readSimulateOptions(args: readonly string[]): SimulateOptions | undefined {
  try {
    return read(args)
  } catch (error) {
    throw new Error(`${usage}\n\n${(error as Error).message}`)
  }
}

function read(args: readonly string[]): SimulateOptions | undefined {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: { seeds: text, from: text, seed: text, variant: text, workers: text, help: { type: 'boolean' } },
  })
  if (values.help === true) return undefined
  const variantName = values.variant ?? soundVariant.name
  if (variantNamed(variantName) === undefined) throw new Error(`there is no variant ${variantName}`)
  const isTraced = values.seed !== undefined
  if (isTraced && (values.seeds ?? values.from) !== undefined)
    throw new Error('--seed is one seed: without --seeds, --from')
  return {
    from: wholeNumber('--seed', values.seed) ?? wholeNumber('--from', values.from) ?? 1,
    count: isTraced ? 1 : (wholeNumber('--seeds', values.seeds) ?? 1_000),
    isTraced,
    variantName,
    workers: wholeNumber('--workers', values.workers) ?? availableParallelism(),
  }
}

function wholeNumber(name: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined
  const value = Number(written)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} ${written} is no whole number from 1 on`)
  return value
}
