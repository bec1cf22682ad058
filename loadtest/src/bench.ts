/**
 * `npm run bench`: what the embedded process or the distributed form costs, every server included, beside VictoriaMetrics and Prometheus
 * where they are at hand.
 *
 *   prepare bodies ──> round 1: ours, theirs, theirs ──> round 2: ... ──> one run with a CPU profile ──> tables, previous run beside
 *
 * Bodies are prepared and sent by a process of its own, whose cost counts for nobody. The floor is what the least server must do:
 * decompress the same bodies and read every value once. At the end of each run of ours every minute of some hosts is compared with what
 * was sent; exit code 1 when one is wrong, or a batch was lost.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchOptions, benchUsage, readBenchOptions } from './bench/bench-options.ts'
import { runContest } from './bench/contest.ts'
import { runDistributedBench } from './bench/distributed-bench.ts'
import { runSustained } from './bench/sustained.ts'
import { Interrupted, interruption } from './interruption.ts'

const say = (text: string): void => void process.stdout.write(`${text}\n`)
process.exitCode = await main()

async function main(): Promise<number> {
  const options = optionsOrUsage()
  if (typeof options === 'number') return options
  // On the disk of temporary files, readable by the account that PostgreSQL runs as.
  const folder = await mkdtemp(join(tmpdir(), 'minutely-bench-'))
  const interrupted = interruption()
  try {
    const run =
      options.sustainMinutes !== undefined
        ? runSustained
        : options.form === 'distributed'
          ? runDistributedBench
          : runContest
    return (await run(options, { folder, say, interrupted })) ? 0 : 1
  } catch (error) {
    process.stderr.write(`${error instanceof Interrupted ? error.message : (error as Error).stack}\n`)
    return 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function optionsOrUsage(): BenchOptions | number {
  try {
    const options = readBenchOptions(process.argv.slice(2))
    if (options !== 'help') return options
    say(benchUsage)
    return 0
  } catch (error) {
    process.stderr.write(`${benchUsage}\n\n${(error as Error).message}\n`)
    return 2
  }
}
