/**
 * How fine a window's steps may be: minutes are kept for a while (two days, unless set otherwise), hours for much longer. What is stored says where
 * minutes begin; a question whose answer is `step-too-fine` all the same, or has too many points, is asked again with the step that the answer
 * names. So a page never shows a refusal that a coarser step mends.
 */
import type { StorageAnswer } from '@minutely/schema/query-wire'
import { useQuery } from '@tanstack/react-query'
import { ApiFailure, readStorage } from './api.ts'
import { hourMs, minuteMs, type View, type Window, windowOf } from './time-range.ts'

const minuteTiers: readonly string[] = ['minutes', 'sealed-minutes']
const staleMs = 60_000
/** Until what is stored is known. */
const minutesKeptMsDefault = 48 * hourMs

/** The finest step of which all of the view's range is kept; a step of minutes where hours know no more. */
export function useFinestStep(view: View, nowMs: number): number {
  const { data } = useQuery({
    queryKey: ['storage'],
    queryFn: ({ signal }) => readStorage(signal),
    staleTime: staleMs,
    retry: false,
  })
  return finestStep(windowOf(view, nowMs).fromMs, data === undefined ? undefined : tiersFrom(data), nowMs)
}

interface TiersFrom {
  /** Start of what is kept; Infinity: nothing. */
  readonly minutesMs: number
  readonly hoursMs: number
}

export function tiersFrom({ tiers }: Pick<StorageAnswer, 'tiers'>): TiersFrom {
  const oldest = (isWanted: (tier: string) => boolean) =>
    Math.min(
      Number.POSITIVE_INFINITY,
      ...tiers.filter(({ tier }) => isWanted(tier)).flatMap((one) => one.oldestMs ?? []),
    )
  return { minutesMs: oldest((tier) => minuteTiers.includes(tier)), hoursMs: oldest((tier) => tier === 'hours') }
}

export function finestStep(fromMs: number, from: TiersFrom | undefined, nowMs: number): number {
  if (from === undefined) return fromMs < nowMs - minutesKeptMsDefault - hourMs ? hourMs : minuteMs
  // For less than an hour nobody wants coarser steps; and the hour in which minutes begin is in both.
  const begins = from.minutesMs - hourMs
  return fromMs < begins && from.hoursMs < begins ? hourMs : minuteMs
}

export interface Stepped {
  readonly nowMs: number
  readonly stepMsMin: number
}

/** Asks with the finest step, and once more with the one that a refusal names. */
export async function withFittingStep<T>(
  view: View,
  { nowMs, stepMsMin }: Stepped,
  ask: (window: Window) => Promise<T>,
): Promise<T> {
  try {
    return await ask(windowOf(view, nowMs, stepMsMin))
  } catch (error) {
    const fittingMs = fittingStepMs(error)
    if (fittingMs === undefined || fittingMs <= windowOf(view, nowMs, stepMsMin).stepMs) throw error
    return ask(windowOf(view, nowMs, fittingMs))
  }
}

export function fittingStepMs(error: unknown): number | undefined {
  if (!(error instanceof ApiFailure)) return undefined
  const { fittingStepMs } = (error.details ?? {}) as { fittingStepMs?: unknown }
  return typeof fittingStepMs === 'number' && fittingStepMs % minuteMs === 0 ? fittingStepMs : undefined
}
