/** The thread that run-seeds.ts starts: every n-th seed, one after the other, each result to whoever started it. */
import { parentPort, workerData } from 'node:worker_threads'
import { runSeed } from './run-seed.ts'
import type { SeedShare } from './run-seeds.ts'
import { soundVariant, variantNamed } from './variants.ts'

const { from, count, step, variantName } = workerData as SeedShare
const variant = variantNamed(variantName) ?? soundVariant
let seed = from
// A broken assertion of ours ends the thread; it must say where.
const failAt = (error: unknown): never => {
  throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
}
process.on('unhandledRejection', failAt)
for (let index = 0; index < count; index++, seed += step) {
  parentPort?.postMessage(await runSeed(seed, { variant }).catch(failAt))
}
