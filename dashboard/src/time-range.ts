/**
 * Which stretch of time a page shows, and its form in the URL: `?range=1h` follows the clock, `?from=..&to=..` (ms since the
 * epoch) stands still. Windows are half-open and lie on the step, as the API demands; a step is a whole number of
 * minutes, as fine as pointsMax and what is still kept of the range allow (finest-step.ts).
 */
export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** About one point per two pixels of a full-width chart; more costs time and shows nothing. */
export const pointsMax = 720
/** Five points: a narrower zoom would be mostly axis. */
const zoomMsMin = 5 * minuteMs
/** Steps that divide a day, so that slots start on the same wall-clock minutes every day. */
const stepMinutes = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440]

export const ranges = [
  { name: '15m', label: '15 m', title: 'Last 15 minutes', lengthMs: 15 * minuteMs },
  { name: '1h', label: '1 h', title: 'Last hour', lengthMs: hourMs },
  { name: '3h', label: '3 h', title: 'Last 3 hours', lengthMs: 3 * hourMs },
  { name: '6h', label: '6 h', title: 'Last 6 hours', lengthMs: 6 * hourMs },
  { name: '12h', label: '12 h', title: 'Last 12 hours', lengthMs: 12 * hourMs },
  { name: '1d', label: '1 d', title: 'Last day', lengthMs: dayMs },
  { name: '2d', label: '2 d', title: 'Last 2 days', lengthMs: 2 * dayMs },
  { name: '7d', label: '7 d', title: 'Last 7 days', lengthMs: 7 * dayMs },
  { name: '30d', label: '30 d', title: 'Last 30 days', lengthMs: 30 * dayMs },
  { name: '90d', label: '90 d', title: 'Last 90 days', lengthMs: 90 * dayMs },
  { name: '1y', label: '1 y', title: 'Last 365 days', lengthMs: 365 * dayMs },
] as const
export type RangeName = (typeof ranges)[number]['name']
export const rangeDefault: RangeName = '1h'

/** `range` is kept while zoomed: it is where a reset leads back to. */
export type View =
  | { readonly kind: 'last'; readonly range: RangeName }
  | { readonly kind: 'between'; readonly range: RangeName; readonly fromMs: number; readonly toMs: number }

export interface Window {
  readonly fromMs: number
  readonly toMs: number
  readonly stepMs: number
}

export function rangeOf(name: RangeName): (typeof ranges)[number] {
  return ranges.find((range) => range.name === name) ?? ranges[1]
}

/** Anything unreadable in the URL means the default; a page never fails because of its address. */
export function readView(search: string): View {
  const params = new URLSearchParams(search)
  const range = ranges.find(({ name }) => name === params.get('range'))?.name ?? rangeDefault
  const fromMs = readInstant(params.get('from'))
  const toMs = readInstant(params.get('to'))
  if (fromMs === undefined || toMs === undefined || toMs <= fromMs) return { kind: 'last', range }
  return { kind: 'between', range, fromMs, toMs }
}

/** The search string for a view; other parameters, such as the filter, stay. */
export function writeView(search: string, view: View): string {
  const params = new URLSearchParams(search)
  params.set('range', view.range)
  params.delete('from')
  params.delete('to')
  if (view.kind === 'between') {
    params.set('from', String(view.fromMs))
    params.set('to', String(view.toMs))
  }
  return params.toString()
}

/** What the address should be when something in it was unreadable, so that it says what is shown; undefined when it does. */
export function mendedSearch(search: string): string | undefined {
  const params = new URLSearchParams(search)
  const view = readView(search)
  const range = params.get('range')
  const isZoomed = view.kind === 'between'
  const isRead = (range === null || range === view.range) && (isZoomed || (!params.has('from') && !params.has('to')))
  return isRead ? undefined : writeView(search, view)
}

/** The finest step, stepMsMin or longer, with which `lengthMs` has at most pointsMax slots. */
export function stepFor(lengthMs: number, stepMsMin = minuteMs): number {
  const fits = (stepMs: number) => stepMs >= stepMsMin && lengthMs / stepMs <= pointsMax
  const round = stepMinutes.map((minutes) => minutes * minuteMs).find(fits)
  return round ?? Math.max(Math.ceil(lengthMs / dayMs / pointsMax), Math.ceil(stepMsMin / dayMs)) * dayMs
}

/** The slots to draw now. A window that follows the clock ends with the slot that is being filled. */
export function windowOf(view: View, nowMs: number, stepMsMin = minuteMs): Window {
  if (view.kind === 'last') {
    const { lengthMs } = rangeOf(view.range)
    const stepMs = stepFor(lengthMs, stepMsMin)
    const toMs = Math.floor(nowMs / stepMs) * stepMs + stepMs
    return { fromMs: toMs - Math.ceil(lengthMs / stepMs) * stepMs, toMs, stepMs }
  }
  const stepMs = stepFor(view.toMs - view.fromMs, stepMsMin)
  const fromMs = Math.floor(view.fromMs / stepMs) * stepMs
  return { fromMs, toMs: Math.max(fromMs + stepMs, Math.ceil(view.toMs / stepMs) * stepMs), stepMs }
}

/** What dragging over [fromMs, toMs) of a chart leads to: whole minutes, not too narrow. */
export function zoom(view: View, fromMs: number, toMs: number): View {
  let from = Math.floor(Math.min(fromMs, toMs) / minuteMs) * minuteMs
  let to = Math.ceil(Math.max(fromMs, toMs) / minuteMs) * minuteMs
  const missing = zoomMsMin - (to - from)
  if (missing > 0) {
    from -= Math.floor(missing / 2 / minuteMs) * minuteMs
    to = from + zoomMsMin
  }
  return { kind: 'between', range: view.range, fromMs: from, toMs: to }
}

export function resetZoom(view: View): View {
  return { kind: 'last', range: view.range }
}

/** The next shorter (-1) or longer (+1) range; the ends stay where they are. */
export function neighbour(view: View, direction: -1 | 1): View {
  const at = ranges.findIndex(({ name }) => name === view.range) + direction
  return { kind: 'last', range: ranges[Math.min(ranges.length - 1, Math.max(0, at))]?.name ?? view.range }
}

/** Half a window earlier (-1) or later (+1), of the same length. What would end after now follows the clock again, if it did before. */
export function shift(view: View, direction: -1 | 1, nowMs: number): View {
  const length = view.kind === 'between' ? view.toMs - view.fromMs : rangeOf(view.range).lengthMs
  const endMs = view.kind === 'between' ? view.toMs : Math.ceil(nowMs / minuteMs) * minuteMs
  const toMs = endMs + direction * Math.ceil(length / 2 / minuteMs) * minuteMs
  if (toMs < nowMs) return { kind: 'between', range: view.range, fromMs: Math.max(0, toMs - length), toMs }
  if (length === rangeOf(view.range).lengthMs) return resetZoom(view)
  const latestMs = Math.ceil(nowMs / minuteMs) * minuteMs
  return { kind: 'between', range: view.range, fromMs: latestMs - length, toMs: latestMs }
}

/** How long a step is, in a word or two: "1 min", "4 h". */
export function stepText(stepMs: number): string {
  if (stepMs % dayMs === 0) return `${stepMs / dayMs} d`
  return stepMs % hourMs === 0 ? `${stepMs / hourMs} h` : `${stepMs / minuteMs} min`
}

function readInstant(text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isSafeInteger(ms) && ms >= 0 && ms < 8.64e15 ? ms : undefined
}
