/**
 * What is drawn on a chart besides its data: annotations (a dashed line at an instant, a quiet ground under a stretch, with a flag on top), steps that
 * late data changed while somebody watched (a small foot on the axis), and the hatched ground of what is not final.
 */
import uPlot from 'uplot'

export interface ChartMark {
  readonly key: string
  readonly startMs: number
  /** As startMs for an instant. */
  readonly endMs: number
  readonly text: string
}

export interface Marks {
  readonly annotations: readonly ChartMark[]
  /** Key of the one that somebody points at elsewhere. */
  readonly litKey: string | undefined
  /** Starts of the steps that changed after they were final. */
  readonly correctedMs: readonly number[]
}

export const noMarks: Marks = { annotations: [], litKey: undefined, correctedMs: [] }

interface MarkColors {
  readonly line: string
  readonly lit: string
  readonly ground: string
}

const flagPx = 5
const footPx = 4
const nearPx = 5
const hatchPx = 7

export function drawMarks(chart: uPlot, { annotations, litKey, correctedMs }: Marks, colors: MarkColors): void {
  const { ctx, bbox } = chart
  const ratio = uPlot.pxRatio
  const bottom = bbox.top + bbox.height
  const right = bbox.left + bbox.width
  const place = (ms: number) => Math.round(chart.valToPos(ms, 'x', true))
  ctx.save()
  ctx.lineWidth = ratio
  for (const { key, startMs, endMs } of annotations) {
    const [from, to] = [place(startMs), place(endMs)]
    if (to < bbox.left || from > right) continue
    const isLit = key === litKey
    ctx.strokeStyle = isLit ? colors.lit : colors.line
    ctx.fillStyle = isLit ? colors.lit : colors.line
    if (to > from) {
      const [left, end] = [Math.max(bbox.left, from), Math.min(right, to)]
      ctx.fillRect(left, bbox.top, end - left, 2 * ratio)
      ctx.fillStyle = colors.ground
      ctx.fillRect(left, bbox.top, end - left, bbox.height)
      ctx.fillStyle = ctx.strokeStyle
    }
    for (const x of new Set([from, to])) {
      if (x < bbox.left || x > right) continue
      ctx.setLineDash(isLit ? [] : [2 * ratio, 3 * ratio])
      ctx.beginPath()
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bottom)
      ctx.stroke()
    }
    if (from < bbox.left) continue
    ctx.beginPath()
    ctx.moveTo(from - flagPx * ratio, bbox.top)
    ctx.lineTo(from + flagPx * ratio, bbox.top)
    ctx.lineTo(from, bbox.top + flagPx * 1.4 * ratio)
    ctx.fill()
  }
  ctx.fillStyle = colors.lit
  const [first = 0, second = first] = chart.data[0]
  for (const ms of correctedMs) {
    const x = place(ms + (second - first) / 2)
    if (x < bbox.left || x > right) continue
    ctx.beginPath()
    ctx.moveTo(x - footPx * ratio, bottom)
    ctx.lineTo(x + footPx * ratio, bottom)
    ctx.lineTo(x, bottom - footPx * 1.5 * ratio)
    ctx.fill()
  }
  ctx.restore()
}

/** Those in a step, and instants a few pixels from its middle. */
export function marksNear(
  marks: readonly ChartMark[],
  at: { readonly atMs: number; readonly msPerPx: number; readonly stepMs: number },
): readonly ChartMark[] {
  const reach = Math.max(nearPx * at.msPerPx, at.stepMs / 2)
  return marks.filter(({ startMs, endMs }) => at.atMs >= startMs - reach && at.atMs <= endMs + reach)
}

/** The ground of what is not final. */
export function drawHatch(
  chart: uPlot,
  provisionalFromMs: number,
  colors: { readonly ground: string; readonly stroke: string },
): void {
  const { ctx, bbox } = chart
  const right = bbox.left + bbox.width
  const left = Math.max(bbox.left, chart.valToPos(provisionalFromMs, 'x', true))
  if (!(left < right)) return
  const gap = hatchPx * uPlot.pxRatio
  ctx.save()
  ctx.beginPath()
  ctx.rect(left, bbox.top, right - left, bbox.height)
  ctx.clip()
  ctx.fillStyle = colors.ground
  ctx.fillRect(left, bbox.top, right - left, bbox.height)
  ctx.strokeStyle = colors.stroke
  ctx.lineWidth = uPlot.pxRatio
  ctx.beginPath()
  const start = Math.floor((left - bbox.height) / gap) * gap
  for (let x = start; x < right; x += gap) {
    ctx.moveTo(x, bbox.top + bbox.height)
    ctx.lineTo(x + bbox.height, bbox.top)
  }
  ctx.stroke()
  ctx.restore()
}
