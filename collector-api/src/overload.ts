/**
 * The 503 answers of the collector and how long they ask a client to stay away: seconds, jittered, so that clients
 * refused together do not come back together. `random` is passed in (0 <= random() < 1) to keep tests repeatable.
 */
import { ApiError, type ErrorId } from '@minutely/schema/error-catalogue'

type OverloadId = Extract<ErrorId, 'overloaded' | 'log-unavailable' | 'log-full' | 'disk-full'>

/** [least, most] in seconds. A full log empties only as fast as its readers catch up, a full disk when somebody sees to it,
 * hence the longer wait. */
const retryAfterRangeS = {
  overloaded: [1, 5],
  'log-unavailable': [2, 10],
  'log-full': [10, 60],
  'disk-full': [10, 60],
} as const satisfies Record<OverloadId, readonly [number, number]>

export function overload(id: OverloadId, message: string, deps: { random: () => number; cause?: unknown }): ApiError {
  const [leastS, mostS] = retryAfterRangeS[id]
  const retryAfterS = leastS + Math.floor(deps.random() * (mostS - leastS + 1))
  return new ApiError(id, message, { retryAfterS, cause: deps.cause })
}
