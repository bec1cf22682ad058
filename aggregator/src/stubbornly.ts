/** Tries again what the outside world made fail, until it succeeds: a consumer has nothing better to do meanwhile. */
import assert from 'node:assert/strict'
import pRetry from 'p-retry'
import { StoreRewoundError } from './minute-store.ts'

export interface Stubbornness {
  readonly signal: AbortSignal
  readonly onFailure: (error: Error, attempt: number) => void
}

/** Waits 100 ms to 10 s between attempts, with jitter. @returns undefined when the signal aborted. */
export async function stubbornly<T>(
  work: () => Promise<T>,
  { signal, onFailure }: Stubbornness,
): Promise<T | undefined> {
  try {
    return await pRetry(work, {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 100,
      maxTimeout: 10_000,
      randomize: true,
      signal,
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (error instanceof StoreRewoundError || isDefect(error)) throw error
        onFailure(error, attemptNumber)
      },
    })
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

/** Ours, not the outside world's: it would fail the same way for ever, so the process ends and says so. */
function isDefect(error: Error): boolean {
  return error instanceof assert.AssertionError || error instanceof RangeError || error instanceof ReferenceError
}
