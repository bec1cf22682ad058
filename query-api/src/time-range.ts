/**
 * `from`, `to` and `stepMs`: which steps an answer has.
 *
 * Instants are ms since the epoch, RFC 3339 with an offset, `now`, or relative to now (`-15m`, `now-2h`; units s m h d w).
 * Steps lie on multiples of stepMs since the epoch, so that the same question asked a second later has the same steps
 * (caches and ETags rely on it). `from` is floored to a step, `to` ceiled:
 *
 *     from          to                     startMs <= from, endMs >= to, endMs - startMs = stepCount * stepMs
 *      |             |
 *   |----|----|----|----|
 *   startMs             endMs
 */
import { ApiError } from '@minutely/schema/error-catalogue'
import { minuteMs } from '@minutely/schema/limits'
import { invalid, type Parameters, show } from './parameters.ts'

export interface TimeRange {
  readonly startMs: number
  /** Half-open. */
  readonly endMs: number
  readonly stepMs: number
  readonly stepCount: number
}

export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs
const stepMsMax = 366 * dayMs
/** A chart is about this wide in pixels; finer steps would be drawn onto the same column. */
const defaultStepsMax = 720
/** Steps people can read on an axis; all divide a day, or are whole days. */
const roundStepsMs = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((minutes) => minutes * minuteMs)
/** End of the year 9999: the last instant RFC 3339 can write. */
const instantMaxMs = 253_402_300_799_999
const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: minuteMs, h: hourMs, d: dayMs, w: 7 * dayMs }

/** Defaults: the last hour. @throws ApiError parameter-invalid or range-invalid. */
export function readTimeRange(parameters: Parameters, limits: { nowMs: number; rangeDaysMax: number }): TimeRange {
  const { nowMs, rangeDaysMax } = limits
  const toMs = readInstant('to', parameters.single('to'), nowMs) ?? nowMs
  const fromMs = readInstant('from', parameters.single('from'), nowMs) ?? toMs - hourMs
  if (fromMs >= toMs) {
    const span = `from (${fromMs}) is ${fromMs === toMs ? 'equal to' : `${fromMs - toMs} ms after`} to (${toMs})`
    throw new ApiError('range-invalid', `The range is empty: ${span}; it is half-open, so from must be before to`)
  }
  if (toMs - fromMs > rangeDaysMax * dayMs) {
    const days = Math.ceil((toMs - fromMs) / dayMs)
    throw new ApiError('range-invalid', `The range spans ${days} days, at most ${rangeDaysMax} are answered at once`, {
      details: { fromMs, toMs, rangeDaysMax },
    })
  }
  const stepMs = readStep(parameters) ?? roundStepFor({ fromMs, toMs }, defaultStepsMax + 1)
  return alignRange({ fromMs, toMs }, stepMs)
}

/** Whether its steps are made of whole hours. */
export function isHourly({ startMs, stepMs }: TimeRange): boolean {
  return startMs % hourMs === 0 && stepMs % hourMs === 0
}

export function alignRange(span: { fromMs: number; toMs: number }, stepMs: number): TimeRange {
  const startMs = Math.floor(span.fromMs / stepMs) * stepMs
  const endMs = Math.ceil(span.toMs / stepMs) * stepMs
  return { startMs, endMs, stepMs, stepCount: (endMs - startMs) / stepMs }
}

/** The smallest round step with which a span, aligned, has at most stepsMax steps. */
export function roundStepFor(span: { fromMs: number; toMs: number }, stepsMax: number): number {
  const fits = (stepMs: number): boolean => alignRange(span, stepMs).stepCount <= stepsMax
  const round = roundStepsMs.find(fits)
  if (round !== undefined) return round
  let days = Math.ceil((span.toMs - span.fromMs) / dayMs / Math.max(1, stepsMax))
  // A span that straddles the boundaries of its steps needs one more than its length says. Ends at the latest when one
  // step reaches from the epoch past the span.
  while (!fits(days * dayMs)) days++
  return days * dayMs
}

function readStep(parameters: Parameters): number | undefined {
  const text = parameters.single('stepMs')
  if (text === undefined) return undefined
  const stepMs = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  const isWithin = stepMs >= minuteMs && stepMs <= stepMsMax
  if (isWithin && stepMs % minuteMs === 0) return stepMs
  const below = Math.floor(stepMs / minuteMs) * minuteMs
  const neighbours = isWithin ? `; ${below} and ${below + minuteMs} are next to it` : ''
  throw invalid(
    'stepMs',
    `is ${show(text)}, it must be a multiple of ${minuteMs}, from ${minuteMs} to ${stepMsMax}${neighbours}`,
  )
}

export function readInstant(name: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const instantMs = parseInstant(name, text, nowMs)
  if (Number.isInteger(instantMs) && instantMs >= 0 && instantMs <= instantMaxMs) return instantMs
  throw invalid(
    name,
    `is ${show(text)}; write ms since the epoch (${nowMs}), RFC 3339 with an offset (${new Date(nowMs).toISOString()}), ` +
      'now, or a time before now like -15m (units s, m, h, d, w)',
  )
}

function parseInstant(name: string, text: string, nowMs: number): number {
  if (/^\d{1,15}$/.test(text)) {
    const value = Number(text)
    // 10^9 to 10^11 as ms is 1970 to 1973: whoever writes that means seconds.
    if (value >= 1e9 && value < 1e11)
      throw invalid(name, `is ${text}, which looks like seconds; in ms it is ${value * 1000}`)
    return value
  }
  if (text === 'now') return nowMs
  const relative = /^(?:now)?-(\d{1,9})([smhdw])$/.exec(text)
  if (relative) return nowMs - Number(relative[1]) * (unitsMs[relative[2] as string] as number)
  // An unescaped + of an offset arrives as a space.
  const instant = text.replace(/ (?=\d\d:\d\d$)/, '+')
  const shape = /^(\d{4}-\d\d-\d\d)[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.exec(instant)
  if (!shape) return Number.NaN
  // Date.parse takes 30 February for 2 March; RFC 3339 does not.
  const date = shape[1] as string
  const parsedDate = Date.parse(date)
  if (Number.isNaN(parsedDate) || new Date(parsedDate).toISOString().slice(0, 10) !== date) return Number.NaN
  return Math.floor(Date.parse(instant.toUpperCase()))
}
