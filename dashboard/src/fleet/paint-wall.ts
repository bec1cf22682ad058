/**
 * A frame of the wall: hatch where servers are silent, one enlarged bitmap a block, the gaps between cells, and where cells are large
 * enough what they stand for. Only what is in view is drawn. Lengths are in px of the screen; `ratio` is device pixels a px.
 */
import type { ZoomTransform } from 'd3-zoom'
import { type Domain, levelOf, ramps } from './colour-scale.ts'
import type { FleetRow } from './fleet-rows.ts'
import type { WallColors } from './wall-bitmap.ts'
import { type Block, headPx, headText, placeOf, type Size, type WallLayout } from './wall-layout.ts'

export interface WallScene {
  readonly layout: WallLayout
  readonly rows: readonly FleetRow[]
  readonly bitmaps: readonly HTMLCanvasElement[]
  readonly colors: WallColors
  readonly scheme: 'dark' | 'light'
  readonly domain: Domain | undefined
  readonly valueText: (row: FleetRow) => string
  readonly isDimmed: (row: FleetRow) => boolean
  readonly cursor: number | undefined
  readonly hover: number | undefined
}

export interface Frame {
  readonly transform: ZoomTransform
  readonly size: Size
  readonly ratio: number
}

/** What cells of this size say. */
export type Detail = 'colour' | 'value' | 'name'

const [valueFromPx, nameFromPx] = [40, 62]
const gapsFromPx = 3.5
const hatchPx = 5
/** Of 11 px text; most letters are narrower. */
const letterPx = 6.1
const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
const outlinesMax = 2_000

export function detailOf(cellPx: number): Detail {
  return cellPx >= nameFromPx ? 'name' : cellPx >= valueFromPx ? 'value' : 'colour'
}

export function paintWall(context: CanvasRenderingContext2D, scene: WallScene, frame: Frame): Detail {
  const { size, ratio, transform } = frame
  const { layout, colors } = scene
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.fillStyle = colors.panel
  context.fillRect(0, 0, size.width, size.height)
  context.imageSmoothingEnabled = false
  const hatch = hatchOf(context, colors)
  const detail = detailOf(layout.cell * transform.k)
  layout.blocks.forEach((block, at) => {
    const part = partInView(block, layout.cell, frame)
    if (part === undefined) return
    const bitmap = scene.bitmaps[at]
    const box = boxOf(part, block, { cell: layout.cell, transform })
    context.fillStyle = hatch
    context.fillRect(box.x, box.y, box.width, box.height)
    if (bitmap !== undefined) {
      const { fromColumn, fromRow, columns, rows } = part
      context.drawImage(bitmap, fromColumn, fromRow, columns, rows, box.x, box.y, box.width, box.height)
    }
    paintGaps(context, { block, part, cell: layout.cell, color: colors.panel }, frame)
    paintSilent(context, { block, part, scene }, frame)
    if (detail !== 'colour') paintTexts(context, { block, part, scene, detail }, frame)
    paintHead(context, block, { colors, transform })
  })
  if (scene.hover !== undefined) outline(context, { number: scene.hover, color: colors.text }, { scene, transform })
  if (scene.cursor !== undefined) outline(context, { number: scene.cursor, color: colors.accent }, { scene, transform })
  return detail
}

/** Columns and rows of a block that are in view. */
interface Part {
  readonly fromColumn: number
  readonly fromRow: number
  readonly columns: number
  readonly rows: number
}

function partInView(block: Block, cell: number, { transform: { x, y, k }, size }: Frame): Part | undefined {
  const cellPx = cell * k
  const [left, top] = [x + block.x * k, y + block.y * k]
  const fromColumn = Math.max(0, Math.floor(-left / cellPx))
  const fromRow = Math.max(0, Math.floor(-top / cellPx))
  const columns = Math.min(block.columns, Math.ceil((size.width - left) / cellPx)) - fromColumn
  const rows = Math.min(block.rows, Math.ceil((size.height - top) / cellPx)) - fromRow
  return columns > 0 && rows > 0 ? { fromColumn, fromRow, columns, rows } : undefined
}

interface Placing {
  readonly cell: number
  readonly transform: ZoomTransform
}

function boxOf(part: Part, block: Block, { cell, transform: { x, y, k } }: Placing) {
  return {
    x: x + (block.x + part.fromColumn * cell) * k,
    y: y + (block.y + part.fromRow * cell) * k,
    width: part.columns * cell * k,
    height: part.rows * cell * k,
  }
}

/** Whole device pixels right on the borders: which of two cells such a pixel belongs to is a matter of rounding anyway. */
function paintGaps(
  context: CanvasRenderingContext2D,
  { block, part, cell, color }: { block: Block; part: Part; cell: number; color: string },
  { transform, ratio }: Frame,
): void {
  const cellPx = cell * transform.k
  if (cellPx < gapsFromPx) return
  const gap = (cellPx < 24 ? 1 : 2) / ratio
  const box = boxOf(part, block, { cell, transform })
  const onPixel = (px: number) => Math.floor(px * ratio) / ratio
  context.fillStyle = color
  for (let column = 0; column <= part.columns; column++) {
    context.fillRect(onPixel(box.x + column * cellPx), box.y, gap, box.height)
  }
  for (let row = 0; row <= part.rows; row++) context.fillRect(box.x, onPixel(box.y + row * cellPx), box.width, gap)
}

interface PaintedPart {
  readonly block: Block
  readonly part: Part
  readonly scene: WallScene
}

function eachRow({ block, part, scene }: PaintedPart, { transform: { x, y, k } }: Frame, see: SeeRow): void {
  const { cell } = scene.layout
  for (let row = part.fromRow; row < part.fromRow + part.rows; row++) {
    for (let column = part.fromColumn; column < part.fromColumn + part.columns; column++) {
      const at = row * block.columns + column
      const found = at < block.count ? scene.rows[block.first + at] : undefined
      if (found !== undefined) see(found, x + (block.x + column * cell) * k, y + (block.y + row * cell) * k)
    }
  }
}

type SeeRow = (row: FleetRow, leftPx: number, topPx: number) => void

/** A border of their own, as long as they are few: in an outage of the whole fleet the hatch says it. */
function paintSilent(context: CanvasRenderingContext2D, painted: PaintedPart, frame: Frame): void {
  const cellPx = painted.scene.layout.cell * frame.transform.k
  if (cellPx < gapsFromPx || !painted.scene.rows.some(({ isSilent }) => isSilent)) return
  let count = 0
  context.beginPath()
  eachRow(painted, frame, (row, left, top) => {
    if (!row.isSilent || painted.scene.isDimmed(row) || count++ >= outlinesMax) return
    context.rect(left + 1.5, top + 1.5, cellPx - 2, cellPx - 2)
  })
  context.strokeStyle = painted.scene.colors.warn
  context.lineWidth = 1
  context.stroke()
}

function paintTexts(context: CanvasRenderingContext2D, painted: PaintedPart & { detail: Detail }, frame: Frame): void {
  const { scene, detail } = painted
  const { scheme, domain, colors } = scene
  const cellPx = scene.layout.cell * frame.transform.k
  const letters = Math.floor((cellPx - 10) / letterPx)
  context.font = font
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  eachRow(painted, frame, (row, left, top) => {
    const isPlain = row.isSilent || row.value === null || domain === undefined || scene.isDimmed(row)
    context.fillStyle = isPlain ? colors.text : (ramps[scheme].inks[levelOf(row.value, domain)] ?? colors.text)
    context.globalAlpha = scene.isDimmed(row) ? 0.45 : 1
    const [middle, line] = [left + cellPx / 2, top + cellPx / 2]
    const value = row.isSilent ? 'silent' : scene.valueText(row)
    if (detail === 'value') context.fillText(value, middle, line)
    else {
      context.fillText(shortened(row.server.serverId, letters), middle, line - 8)
      context.fillText(value, middle, line + 8)
    }
  })
  context.globalAlpha = 1
}

/** Names differ at their end. */
function shortened(name: string, letters: number): string {
  return name.length <= letters ? name : `…${name.slice(1 - letters)}`
}

function paintHead(
  context: CanvasRenderingContext2D,
  block: Block,
  { colors, transform: { x, y, k } }: { colors: WallColors; transform: ZoomTransform },
): void {
  if (block.name === null) return
  context.font = `600 ${font}`
  context.textAlign = 'left'
  context.textBaseline = 'alphabetic'
  context.fillStyle = colors.dim
  const bottom = y + block.y * k
  context.fillText(headText(block), x + block.x * k + 1, bottom - (headPx - 12))
}

function outline(
  context: CanvasRenderingContext2D,
  { number, color }: { number: number; color: string },
  { scene, transform: { x, y, k } }: { scene: WallScene; transform: ZoomTransform },
): void {
  const at = placeOf(scene.layout, number)
  if (at === undefined) return
  const [left, top, cellPx] = [x + at.x * k, y + at.y * k, scene.layout.cell * k]
  context.lineWidth = 4
  context.strokeStyle = scene.colors.panel
  context.strokeRect(left - 1, top - 1, cellPx + 2, cellPx + 2)
  context.lineWidth = 2
  context.strokeStyle = color
  context.strokeRect(left - 1, top - 1, cellPx + 2, cellPx + 2)
}

function hatchOf(context: CanvasRenderingContext2D, { panel, dim }: WallColors): CanvasPattern | string {
  const tile = document.createElement('canvas')
  tile.width = hatchPx
  tile.height = hatchPx
  const pen = tile.getContext('2d')
  if (pen === null) return panel
  pen.fillStyle = panel
  pen.fillRect(0, 0, hatchPx, hatchPx)
  pen.strokeStyle = dim
  pen.lineWidth = 1
  pen.beginPath()
  for (const shift of [-hatchPx, 0, hatchPx]) {
    pen.moveTo(shift, hatchPx)
    pen.lineTo(shift + hatchPx, 0)
  }
  pen.stroke()
  return context.createPattern(tile, 'repeat') ?? panel
}
