/** Of the next commit. */
import type { BenchOptions } from './bench-options.ts'
import type { BenchDeps } from './contest.ts'
export async function runDistributedBench(_options: BenchOptions, _deps: BenchDeps): Promise<boolean> {
  throw new Error('not measured yet')
}
