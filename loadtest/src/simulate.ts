/** `npm run simulate`: many seeds on all cores and a verdict, or one seed with its trace; see simulation/simulate-options.ts. */
import { runSeed, type SeedResult } from './simulation/run-seed.ts'
import { runSeeds } from './simulation/run-seeds.ts'
import { readSimulateOptions, type SimulateOptions, usage } from './simulation/simulate-options.ts'
import { strongestFirst } from './simulation/strongest-first.ts'
import { soundVariant, variantNamed } from './simulation/variants.ts'

const linesMax = 10
const progressEveryMs = 10_000
const say = (text: string): void => void process.stdout.write(`${text}\n`)

process.exitCode = await main()

async function main(): Promise<number> {
  const options = optionsOrExit()
  return options.isTraced ? traceOne(options) : runMany(options)
}

async function traceOne({ from, variantName }: SimulateOptions): Promise<number> {
  const variant = variantNamed(variantName) ?? soundVariant
  const result = await runSeed(from, { variant, onEvent: say })
  const problems = strongestFirst(result.problems)
  for (const problem of problems) say(`WRONG ${problem}`)
  say(
    `seed ${from}: ${result.events} events, ${result.acknowledged} samples acknowledged; ` +
      `trace ${result.traceHash} is the same for the same events`,
  )
  const isExact = problems.length === 0
  say(isExact ? `exact: ${result.seriesMinutes} series-minutes compared` : `NOT EXACT, ${wrongness(problems)}`)
  return verdict(variant.name, isExact)
}

async function runMany(options: SimulateOptions): Promise<number> {
  const { from, count, variantName } = options
  const isSound = variantName === soundVariant.name
  const startedMs = performance.now()
  const wrong: SeedResult[] = []
  const totals = { seeds: 0, acknowledged: 0, finals: 0 }
  let saidMs = startedMs
  await runSeeds(options, (result) => {
    totals.seeds++
    totals.acknowledged += result.acknowledged
    totals.finals += result.finals
    if (result.problems.length > 0) {
      wrong.push(result)
      say(`seed ${result.seed} is wrong`)
    }
    if (performance.now() - saidMs > progressEveryMs) {
      saidMs = performance.now()
      say(`${totals.seeds} of ${count} seeds, ${wrong.length} wrong`)
    }
    // A broken variant is caught by its first.
    return !isSound && wrong.length > 0
  })
  wrong.sort((a, b) => a.seed - b.seed)
  const flag = isSound ? '' : ` --variant ${variantName}`
  for (const { seed, problems } of wrong.slice(0, linesMax)) {
    say(`seed ${seed}: ${wrongness(strongestFirst(problems))}`)
    say(`  npm run simulate -- --seed ${seed}${flag}`)
  }
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  const seen = `${totals.acknowledged} samples acknowledged, ${totals.finals} answers about minutes read as final`
  const seeds = totals.seeds === 1 ? '1 seed' : `${totals.seeds} seeds`
  say(`${seeds} from ${from} in ${seconds} s: ${wrong.length} wrong; ${seen}`)
  return verdict(variantName, wrong.length === 0)
}

/** @returns the exit code: a variant that is broken on purpose is to be caught. */
function verdict(variantName: string, isExact: boolean): 0 | 1 {
  if (variantName === soundVariant.name) return isExact ? 0 : 1
  say(`${variantName} is ${isExact ? 'not caught' : 'caught'}`)
  return isExact ? 1 : 0
}

function wrongness(problems: readonly string[]): string {
  return `${problems[0]}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''}`
}

function optionsOrExit(): SimulateOptions {
  try {
    const found = readSimulateOptions(process.argv.slice(2))
    if (found !== undefined) return found
    say(usage)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return process.exit(2)
  }
}
