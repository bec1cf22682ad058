/** Many seeds on several threads: each takes every n-th of them. Results come in no order. */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { SeedResult } from './run-seed.ts'

export interface SeedRange {
  readonly from: number
  readonly count: number
  readonly workers: number
  readonly variantName: string
}

/** Of one thread. */
export interface SeedShare {
  readonly from: number
  readonly count: number
  /** From one of its seeds to the next. */
  readonly step: number
  readonly variantName: string
}

const workerFile = fileURLToPath(new URL('./seed-worker.ts', import.meta.url))

/** `onResult` returns true to end early. */
export async function runSeeds(range: SeedRange, onResult: (result: SeedResult) => boolean): Promise<void> {
  const { from, count, variantName } = range
  const step = Math.min(range.workers, count)
  const workers = Array.from({ length: step }, (_, index) => {
    const workerData: SeedShare = { from: from + index, count: Math.ceil((count - index) / step), step, variantName }
    return new Worker(workerFile, { workerData })
  })
  const end = (): void => {
    for (const worker of workers) void worker.terminate()
  }
  const ended = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      worker.on('message', (result: SeedResult) => {
        if (onResult(result)) end()
      })
      worker.on('error', reject)
      worker.on('exit', () => resolve())
    })
  await Promise.all(workers.map(ended)).finally(end)
}
