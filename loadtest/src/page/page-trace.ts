/**
 * What Chromium's own trace says: when the wall was painted after a navigation, and how frames followed each other. Its times are µs of
 * one clock for all processes; ours are ms.
 */
export interface TraceEvent {
  readonly name: string
  readonly cat?: string
  readonly ph: string
  readonly ts: number
  readonly dur?: number
  /** Of it, on a CPU. */
  readonly tdur?: number
  readonly pid?: number
  readonly args?: Readonly<Record<string, unknown>>
}

export interface Frames {
  readonly count: number
  readonly perSecond: number
  /** Between a frame and the next one. */
  readonly gapP50Ms: number
  readonly gapP95Ms: number
  readonly gapMaxMs: number
  /** CPU time of the page's own scripts in a frame. */
  readonly scriptP50Ms: number
  readonly scriptP95Ms: number
}

export const traceCategories = ['blink.user_timing', 'devtools.timeline', 'disabled-by-default-devtools.timeline.frame']
const usPerMs = 1_000

export function readTrace(trace: Buffer): TraceEvent[] {
  const { traceEvents } = JSON.parse(trace.toString('utf8')) as { traceEvents: TraceEvent[] }
  return traceEvents.sort((a, b) => a.ts - b.ts)
}

/** From the last navigation before the mark to the mark. @throws when one of them is not there. */
export function navigationToMarkMs(events: readonly TraceEvent[], mark: string): number {
  const marked = events.find(({ name, cat }) => name === mark && cat?.includes('blink.user_timing') === true)
  if (marked === undefined) throw new Error(`the trace has no mark ${mark}`)
  const started = events.findLast(
    ({ name, ts, pid }) => name === 'navigationStart' && ts <= marked.ts && pid === marked.pid,
  )
  if (started === undefined) throw new Error('the trace has no navigation')
  return (marked.ts - started.ts) / usPerMs
}

/** Frames that were drawn between two marks of the page. */
export function framesBetween(
  events: readonly TraceEvent[],
  marks: { readonly from: string; readonly to: string },
): Frames {
  const at = (mark: string): number => {
    const event = events.find(({ name, cat }) => name === mark && cat?.includes('blink.user_timing') === true)
    if (event === undefined) throw new Error(`the trace has no mark ${mark}`)
    return event.ts
  }
  const [fromUs, toUs] = [at(marks.from), at(marks.to)]
  const within = events.filter(({ ts }) => ts >= fromUs && ts < toUs)
  const drawn = within.filter(({ name }) => name === 'DrawFrame').map(({ ts }) => ts)
  const gaps = drawn.slice(1).map((ts, index) => (ts - (drawn[index] ?? ts)) / usPerMs)
  const scripts = within.filter(({ name, dur }) => name === 'FireAnimationFrame' && dur !== undefined)
  const scriptMs = scripts.map(({ dur = 0, tdur }) => (tdur ?? dur) / usPerMs)
  return {
    count: drawn.length,
    perSecond: (drawn.length * 1_000 * usPerMs) / (toUs - fromUs),
    gapP50Ms: quantile(gaps, 0.5),
    gapP95Ms: quantile(gaps, 0.95),
    gapMaxMs: quantile(gaps, 1),
    scriptP50Ms: quantile(scriptMs, 0.5),
    scriptP95Ms: quantile(scriptMs, 0.95),
  }
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN
}
