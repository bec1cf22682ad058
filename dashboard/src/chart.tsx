/**
 * Columns to pixels; gaps stay gaps. One canvas: bands, for each line a final, solid and a provisional, dashed part, and what
 * chart-marks.ts draws around them. It knows nothing of where data comes from.
 *
 * Charts with the same syncKey share the crosshair, which is always on a slot: the line, the dots and the figures are of one time. Dragging over one is a zoom, which the page decides on.
 */
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { type ChartData, lonely } from './chart-data.ts'
import { axisRange } from './chart-lines.ts'
import { drawHatch, drawMarks, type Marks, noMarks } from './chart-marks.ts'
import { axisTexts } from './instant-text.ts'
import { lineColor, type Scheme } from './palette.ts'
import { formatValue, increments, type Unit } from './unit.ts'

/** Where the crosshair is: the slot it points at, and the pixels from the left of the plot. */
export interface Crosshair {
  readonly slot: number
  readonly leftPx: number
  /** What a pixel is in time. */
  readonly msPerPx: number
}

/** A place in the palette; `text` is the colour of text, `quiet` that of what stands back. */
export type LineColor = number | 'text' | 'quiet'

export interface BandColor {
  readonly color: number
  /** Two hexadecimal digits of opacity. */
  readonly alpha: string
}

export interface ChartProps {
  readonly data: ChartData
  /** Of each line, in the order of data.rows. A change of lines is a new chart. */
  readonly colors: readonly LineColor[]
  /** Of each band; one around a single line has that line's colour when nothing is said. */
  readonly bands?: readonly BandColor[]
  /** Line to stand out, by its place in `colors`. */
  readonly litLine?: number | undefined
  readonly marks?: Marks
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
/** Of a line that stands out, more than it has. */
const litPx = 1
/** Half of "00:00", and a little. */
const textHalfPx = 20

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  const latest = useRef(props)
  latest.current = props
  const { data, colors, unit, window, scheme, syncKey, marks, litLine } = props
  const structure = `${scheme} ${unit} ${syncKey} ${colors.join()} ${data.rows.length} ${data.bandCount}`

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

  // biome-ignore lint/correctness/useExhaustiveDependencies: marks are read through `latest` while drawing
  useEffect(() => {
    const plot = chart.current
    plot?.series.forEach((series, at) => {
      const line = Math.floor((at - 1) / 2) - data.bandCount
      const color = colors[line]
      if (color !== undefined) series.width = widthOf(color) + (line === litLine ? litPx : 0)
    })
    plot?.redraw(false)
  }, [marks, litLine])

  return <div className="chart" ref={place} />
}

/** Moves the crosshair of all charts with this syncKey; where there is none yet it appears at the newest slot. */
export function moveCrosshair(syncKey: string, slots: number): void {
  const plot = uPlot.sync(syncKey).plots.find(({ data }) => data[0].length > 0)
  if (plot === undefined) return
  const { idx, left = -1 } = plot.cursor
  const last = plot.data[0].length - 1
  const slot = left < 0 || typeof idx !== 'number' ? last : Math.min(last, Math.max(0, idx + slots))
  const move = plot.setCursor as (at: { left: number; top: number }, isFired: boolean, isPublished: boolean) => void
  move({ left: plot.valToPos(plot.data[0][slot] ?? 0, 'x'), top: 1 }, true, true)
}

/** The middle of the slot that the crosshair of these charts is on. */
export function crosshairMs(syncKey: string): number | undefined {
  const { plots } = uPlot.sync(syncKey)
  const { cursor, data } = plots.find(({ cursor: { left = -1 } }) => left >= 0) ?? {}
  return typeof cursor?.idx === 'number' ? data?.[0][cursor.idx] : undefined
}

interface Latest {
  readonly current: ChartProps
}

function optionsOf(latest: Latest, size: { width: number; height: number }): uPlot.Options {
  const { colors, unit, scheme, syncKey, data } = latest.current
  const css = getComputedStyle(document.documentElement)
  const token = (name: string) => css.getPropertyValue(name).trim()
  const strokeOf = (color: LineColor) =>
    typeof color === 'number' ? lineColor(scheme, color) : token(color === 'text' ? '--m-text' : '--m-faint')
  const single = { color: typeof colors[0] === 'number' ? colors[0] : 0, alpha: '30' }
  const bands = (latest.current.bands ?? [single]).slice(0, data.bandCount)
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
      ...bands.flatMap(() => [invisible, invisible]),
      ...colors.flatMap((color, line) => {
        const isLit = () => latest.current.litLine === line
        const own = strokeOf(color)
        const lit = color === 'quiet' ? token('--m-text') : own
        const stroke = () => (isLit() ? lit : own)
        return [solid(stroke, widthOf(color)), dashed(stroke, widthOf(color))]
      }),
    ],
    bands: bands.map(({ color, alpha }, band) => ({
      series: [1 + 2 * band, 2 + 2 * band],
      fill: `${lineColor(scheme, color)}${alpha}`,
    })),
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
      drawClear: [
        (chart) =>
          drawHatch(chart, latest.current.data.provisionalFromMs, {
            ground: token('--m-open'),
            stroke: token('--m-hatch'),
          }),
      ],
      draw: [
        (chart) =>
          drawMarks(chart, latest.current.marks ?? noMarks, {
            line: token('--m-dim'),
            lit: token('--m-accent'),
            ground: token('--m-open'),
          }),
      ],
      setCursor: [
        (chart) => {
          const { idx, left = -1 } = chart.cursor
          const isOn = typeof idx === 'number' && left >= 0
          const msPerPx = chart.posToVal(1, 'x') - chart.posToVal(0, 'x')
          latest.current.onCrosshair(isOn ? { slot: idx, leftPx: left, msPerPx } : undefined)
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

function widthOf(color: LineColor): number {
  if (color === 'quiet') return 1
  return color === 'text' ? 1.75 : 1.5
}

function solid(stroke: () => string, width: number): uPlot.Series {
  return {
    stroke,
    width,
    spanGaps: false,
    points: { show: false, size: 4, fill: stroke, filter: (chart, series) => lonely(chart.data[series] ?? []) },
  }
}

function dashed(stroke: () => string, width: number): uPlot.Series {
  return { ...solid(stroke, width), dash: [3, 3] }
}

const invisible: uPlot.Series = { stroke: 'transparent', width: 0, spanGaps: false, points: { show: false } }
