/** Tries again what the outside world made fail, until it succeeds: a consumer has nothing better to do meanwhile. */
import assert from 'node:assert/strict'
import type { Clock } from '@minutely/lib/clock'
import pRetry from 'p-retry'
import { StoreMovedError } from './minute-store.ts'

const delayMsMin = 100
const delayMsMax = 10_000

export interface Stubbornness {
  readonly signal: AbortSignal
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly onFailure: (error: Error, attempt: number) => void
}

/** Waits 100 ms to 10 s between attempts, with jitter. @returns undefined when the signal aborted. */
export async function stubbornly<T>(
  work: () => Promise<T>,
  { signal, clock, random, onFailure }: Stubbornness,
): Promise<T | undefined> {
  try {
    return await pRetry(work, {
      retries: Number.POSITIVE_INFINITY,
      // p-retry's own delays are not on our clock: it waits 0, we wait here.
      minTimeout: 0,
      signal,
      onFailedAttempt: async ({ error, attemptNumber }) => {
        if (error instanceof StoreMovedError || isDefect(error)) throw error
        onFailure(error, attemptNumber)
        const delayMs = delayMsMin * 2 ** (attemptNumber - 1) * (1 + random())
        await clock.sleep(Math.min(delayMsMax, delayMs), signal)
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
