/**
 * What one answer may hold, and what all answers of the process may hold at one time. A refusal says the numbers and how
 * to narrow the question.
 */
import { ApiError } from '@minutely/schema/error-catalogue'
import { minuteMs } from '@minutely/schema/limits'
import type { QueryConfig } from './config.ts'
import { roundStepFor, type TimeRange } from './time-range.ts'

export function tooManySeries(matched: number, seriesMax: number): ApiError {
  return new ApiError(
    'too-many-series',
    `The question matches ${matched} series, one answer holds at most ${seriesMax}; narrow it by metricId or label`,
    { details: { matchedSeries: matched, seriesMax } },
  )
}

/** @throws ApiError too-many-points, naming the smallest step that would fit. */
export function assertPointsFit(seriesCount: number, range: TimeRange, config: QueryConfig): void {
  assertFits({ count: seriesCount, noun: 'series' }, range, config)
}

/** The same for an answer whose columns are not series. */
export function assertColumnsFit(columnCount: number, range: TimeRange, config: QueryConfig): void {
  assertFits({ count: columnCount, noun: 'columns' }, range, config)
}

function assertFits(
  columns: { count: number; noun: 'series' | 'columns' },
  range: TimeRange,
  config: QueryConfig,
): void {
  const { pointsMax } = config
  const { count, noun } = columns
  const points = count * range.stepCount
  if (points <= pointsMax) return
  const span = { fromMs: range.startMs, toMs: range.endMs }
  const fittingStepMs = roundStepFor(span, Math.floor(pointsMax / count))
  throw new ApiError(
    'too-many-points',
    `The answer would hold ${points} points (${count} ${noun} x ${range.stepCount} steps), at most ${pointsMax} are ` +
      `allowed; stepMs=${fittingStepMs} fits, or ask for a shorter range or fewer ${noun}`,
    {
      details: {
        points,
        pointsMax,
        [noun === 'series' ? 'seriesCount' : 'columnCount']: count,
        stepCount: range.stepCount,
        fittingStepMs,
      },
    },
  )
}

/** Of a table of servers (read-latest.ts). */
export function tooManyCells(
  { servers, series }: { readonly servers: readonly unknown[]; readonly series: readonly unknown[] },
  pointsMax: number,
): ApiError {
  const points = servers.length * series.length
  return new ApiError(
    'too-many-points',
    `The table would have ${points} cells (${series.length} different metrics and labels x ${servers.length} servers), at most ` +
      `${pointsMax} are allowed; narrow it by metricId, label or query`,
    { details: { points, pointsMax, seriesCount: series.length, serverCount: servers.length } },
  )
}

/** What a question reads, however little it answers. @throws ApiError too-many-minutes */
export function assertMinutesFit(seriesCount: number, range: TimeRange, { minutesMax }: QueryConfig): void {
  const rangeMinutes = (range.endMs - range.startMs) / minuteMs
  const minutes = seriesCount * rangeMinutes
  if (minutes <= minutesMax) return
  const fittingMinutes = Math.floor(minutesMax / seriesCount)
  throw new ApiError(
    'too-many-minutes',
    `The question would read ${minutes} stored minutes (${seriesCount} series x ${rangeMinutes} minutes), at most ${minutesMax} are ` +
      `allowed; ${fittingMinutes} minutes of these series fit, or narrow the series by label`,
    { details: { minutes, minutesMax, seriesCount, rangeMinutes, fittingMinutes } },
  )
}

/** Points of the answers being built or sent. Never queues: a queue would only hold requests that time out later. */
export class PointBudget {
  readonly #limit: number
  readonly #onChange: (points: number) => void
  #used = 0

  constructor(limit: number, onChange: (points: number) => void) {
    this.#limit = limit
    this.#onChange = onChange
  }

  /** @returns gives them back; may be called more than once. @throws ApiError overloaded. */
  take(points: number): () => void {
    // An answer larger than the whole budget is let through alone: its own limit has already allowed it.
    if (this.#used > 0 && this.#used + points > this.#limit) {
      throw new ApiError(
        'overloaded',
        `${this.#used} points are being answered, this answer has ${points}, at most ${this.#limit} fit at one time; ask again shortly`,
        { retryAfterS: 1 },
      )
    }
    this.#change(points)
    let held = points
    return () => {
      this.#change(-held)
      held = 0
    }
  }

  #change(points: number): void {
    this.#used += points
    this.#onChange(this.#used)
  }
}
