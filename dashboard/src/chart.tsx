/**
 * Columns to pixels; gaps stay gaps. One canvas: for each line a final, solid and a provisional, dashed part, a min-max
 * band around a single line, and a hatched ground where minutes are still open. It knows nothing of where data comes from.
 *
 * Charts with the same syncKey share the crosshair, which is always on a slot: the line, the dots and the figures are of one time. Dragging over one is a zoom, which the page decides on.
 */
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { type ChartData, lonely } from './chart-data.ts'
import { axisRange } from './chart-lines.ts'
import { axisTexts } from './instant-text.ts'
import { lineColor, type Scheme } from './palette.ts'
import { formatValue, increments, type Unit } from './unit.ts'

/** Where the crosshair is: the slot it points at, and the pixels from the left of the plot. */
export interface Crosshair {
  readonly slot: number
  readonly leftPx: number
}

export interface ChartProps {
  readonly data: ChartData
  /** Palette index of each line, in the order of data.rows. A change of lines is a new chart. */
  readonly colors: readonly number[]
  readonly unit: Unit
  readonly window: { readonly fromMs: number; readonly toMs: number }
  readonly scheme: Scheme
  readonly syncKey: string
  readonly onCrosshair: (crosshair: Crosshair | undefined) => void
  readonly onZoom: (fromMs: number, toMs: number) => void
  readonly onResetZoom: () => void
}

/** The same for all, so that times stand above each other. */
const yAxisPx = 62
const dragPxMin = 6
const hatchPx = 7
/** Half of "00:00", and a little. */
const textHalfPx = 20

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  const latest = useRef(props)
  latest.current = props
  const { data, colors, unit, window, scheme, syncKey } = props
  const structure = `${scheme} ${unit} ${syncKey} ${colors.join()} ${data.rows.length}`

  // biome-ignore lint/correctness/useExhaustiveDependencies: structure names all that a chart cannot change later
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const size = () => ({ width: Math.max(80, element.clientWidth), height: Math.max(60, element.clientHeight) })
    const plot = new uPlot(optionsOf(latest, size()), latest.current.data.rows, element)
    chart.current = plot
    const observer = new ResizeObserver(() => plot.setSize(size()))
    observer.observe(element)
    return () => {
      observer.disconnect()
      latest.current.onCrosshair(undefined)
      plot.destroy()
      chart.current = undefined
    }
  }, [structure])

  // biome-ignore lint/correctness/useExhaustiveDependencies: the window is read through `latest` when the scale asks for it
  useEffect(() => {
    if (chart.current !== undefined && chart.current.series.length === data.rows.length)
      chart.current.setData(data.rows)
  }, [data, window.fromMs, window.toMs])

  return <div className="chart" ref={place} />
}

interface Latest {
  readonly current: ChartProps
}

function optionsOf(latest: Latest, size: { width: number; height: number }): uPlot.Options {
  const { colors, unit, scheme, syncKey } = latest.current
  const css = getComputedStyle(document.documentElement)
  const token = (name: string) => css.getPropertyValue(name).trim()
  const hasBand = colors.length === 1
  const steps = increments(unit)
  const axis: uPlot.Axis = {
    stroke: token('--m-dim'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: token('--m-grid'), width: 1 },
    ticks: { show: false },
  }
  return {
    ...size,
    ms: 1,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    scales: {
      x: { range: () => [latest.current.window.fromMs, latest.current.window.toMs] },
      y: { range: (_chart, min, max) => axisRange(min, max, latest.current.unit) },
    },
    axes: [
      { ...axis, size: 24, gap: 4, space: 64, values: clearTexts },
      {
        ...axis,
        size: yAxisPx,
        gap: 6,
        space: 28,
        ...(steps === undefined ? {} : { incrs: steps }),
        values: (_chart, splits) => splits.map((value) => formatValue(value, unit)),
      },
    ],
    series: [
      {},
      ...colors.flatMap((color) => [solid(lineColor(scheme, color)), dashed(lineColor(scheme, color))]),
      ...(hasBand ? [invisible, invisible] : []),
    ],
    ...(hasBand ? { bands: [{ series: [3, 4], fill: `${lineColor(scheme, colors[0] ?? 0)}30` }] } : {}),
    cursor: {
      x: true,
      y: false,
      move: (chart, left, top) => [onSlot(chart, left), top],
      points: { size: 6 },
      drag: { x: true, y: false, setScale: false, dist: dragPxMin },
      sync: {
        key: syncKey,
        scales: ['x', null],
        setSeries: false,
        filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' },
      },
      bind: {
        dblclick: () => () => {
          latest.current.onResetZoom()
          return null
        },
      },
    },
    hooks: {
      drawClear: [(chart) => hatch(chart, latest, { ground: token('--m-open'), stroke: token('--m-hatch') })],
      setCursor: [
        (chart) => {
          const { idx, left = -1 } = chart.cursor
          latest.current.onCrosshair(typeof idx === 'number' && left >= 0 ? { slot: idx, leftPx: left } : undefined)
        },
      ],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select
          if (width < dragPxMin) return
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          latest.current.onZoom(chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x'))
        },
      ],
    },
  }
}

/** The pixels of the slot nearest to a place; a place outside stays. */
function onSlot(chart: uPlot, left: number): number {
  const at = left < 0 ? undefined : chart.data[0][chart.posToIdx(left)]
  return at === undefined ? left : chart.valToPos(at, 'x')
}

/** A time right at the y axis would touch that axis' lowest text. */
function clearTexts(chart: uPlot, splits: number[]): string[] {
  return axisTexts(splits).map((text, at) => (chart.valToPos(splits[at] ?? 0, 'x') < textHalfPx ? '' : text))
}

function solid(stroke: string): uPlot.Series {
  return {
    stroke,
    width: 1.5,
    spanGaps: false,
    points: { show: false, size: 4, fill: stroke, filter: (chart, series) => lonely(chart.data[series] ?? []) },
  }
}

function dashed(stroke: string): uPlot.Series {
  return { ...solid(stroke), dash: [3, 3] }
}

const invisible: uPlot.Series = { stroke: 'transparent', width: 0, spanGaps: false, points: { show: false } }

/** The ground of what is not final. */
function hatch(chart: uPlot, latest: Latest, colors: { ground: string; stroke: string }): void {
  const { provisionalFromMs } = latest.current.data
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
