/**
 * Where each server is on the wall: equal square cells, row by row, in blocks of a group each. The cells are as large as they can be for all
 * to fit. Lengths are in px before zooming; a cell's number is the place of its server in the order of groups.
 *
 *   db             web
 *   [ ][ ][ ]      [ ][ ][ ][ ][ ][ ]
 *   [ ]            [ ][ ][ ][ ]
 *
 * A server keeps its place as long as the servers are the same, whatever their values are.
 */
import type { FleetRow } from './fleet-rows.ts'

export interface Size {
  readonly width: number
  readonly height: number
}

export interface Group {
  /** Null: they need no name. */
  readonly name: string | null
  readonly count: number
}

export interface Block extends Group {
  /** Number of its first cell. */
  readonly first: number
  /** Of its cells' corner; the name stands above. */
  readonly x: number
  readonly y: number
  readonly columns: number
  readonly rows: number
}

export interface WallLayout extends Size {
  readonly cell: number
  readonly blocks: readonly Block[]
  readonly count: number
}

export const headPx = 18
const cellMax = 84
const cellMin = 0.5
/** Of a cell to the next smaller that is tried. */
const cellShrink = 0.97
/** Of a cell without groups, what one with groups may at least be. */
const groupedCellMin = 0.4
const gapPx = 14
const groupsMax = 40
const groupSizeMin = 3
/** How much wider than high blocks may be; what leaves the least ground uncovered depends on their sizes. The last is full width. */
const blockAspects = [1.8, 1, 2.5, 4, 0.6, 7, 1_000_000]

/** Rows in the order of groups, then of names as they come; and the groups. One group has no name. */
export function groupRows(rows: readonly FleetRow[], isByLabel: boolean): { rows: FleetRow[]; groups: Group[] } {
  const byName = new Map<string, FleetRow[]>()
  for (const row of rows) {
    const name = isByLabel ? (row.group ?? '') : nameGroup(row.server.serverId)
    const known = byName.get(name)
    if (known === undefined) byName.set(name, [row])
    else known.push(row)
  }
  const isTooMany = byName.size > groupsMax || (!isByLabel && rows.length < byName.size * groupSizeMin)
  if (byName.size < 2 || isTooMany) return { rows: [...rows], groups: [{ name: null, count: rows.length }] }
  const sorted = [...byName].sort(([a], [b]) => Number(a === '') - Number(b === '') || a.localeCompare(b, 'en'))
  return {
    rows: sorted.flatMap(([, members]) => members),
    groups: sorted.map(([name, { length }]) => ({ name: name === '' ? 'other' : name, count: length })),
  }
}

/** What stands before the first digit: web of web-17.eu. Not by one expression: strangers choose names, and on dashes it would take their square. */
function nameGroup(serverId: string): string {
  let end = Math.max(0, serverId.search(/\d/))
  while (end > 0 && '-_.'.includes(serverId.charAt(end - 1))) end--
  return serverId.slice(0, end)
}

/** Where the names would take most of the room, as on a phone, all cells are one block: they have to be seen and touched. */
export function layoutWall(groups: readonly Group[], size: Size): WallLayout {
  const one = [{ name: null, count: groups.reduce((sum, { count }) => sum + count, 0) }]
  const ungrouped = largestThatFits(one, size) ?? place(one, { cell: cellMin, aspect: 1_000_000 }, size.width)
  const grouped = groups.length === 1 ? undefined : largestThatFits(groups, size)
  return grouped !== undefined && grouped.cell >= ungrouped.cell * groupedCellMin ? grouped : ungrouped
}

function largestThatFits(groups: readonly Group[], size: Size): WallLayout | undefined {
  const aspects = groups.length === 1 ? blockAspects.slice(-1) : blockAspects
  for (let cell = cellMax; cell > cellMin; cell *= cellShrink) {
    for (const aspect of aspects) {
      const layout = place(groups, { cell, aspect }, size.width)
      if (layout.height <= size.height) return layout
    }
  }
  return undefined
}

function place(
  groups: readonly Group[],
  { cell, aspect }: { cell: number; aspect: number },
  width: number,
): WallLayout {
  const columnsMax = Math.max(1, Math.floor(width / cell))
  const blocks: Block[] = []
  let [x, y, shelf, first] = [0, 0, 0, 0]
  for (const { name, count } of groups) {
    const wanted = Math.ceil(Math.sqrt(count * aspect))
    const used = Math.min(columnsMax, Math.max(wanted, minColumns({ name, count }, cell)))
    const rows = Math.ceil(count / used)
    const head = name === null ? 0 : headPx
    if (x > 0 && x + used * cell > width) {
      x = 0
      y += shelf + gapPx
      shelf = 0
    }
    blocks.push({ name, count, first, x, y: y + head, columns: used, rows })
    first += count
    shelf = Math.max(shelf, head + rows * cell)
    x += used * cell + gapPx
  }
  const right = Math.max(0, ...blocks.map((block) => block.x + Math.min(block.count, block.columns) * cell))
  return { cell, blocks, count: first, width: right, height: y + shelf }
}

/** Room for some of the name and for the count, which stand above the cells. */
function minColumns({ name, count }: Group, cell: number): number {
  return name === null ? 1 : Math.ceil(Math.min(headText({ name, count }).length * 7, 90) / cell)
}

export function headText({ name, count }: Group): string {
  return `${name ?? ''}  ${count}`
}

export function blockOf({ blocks }: WallLayout, number: number): Block | undefined {
  return blocks.find(({ first, count }) => number >= first && number < first + count)
}

/** Top left corner of a cell. */
export function placeOf(layout: WallLayout, number: number): { x: number; y: number } | undefined {
  const block = blockOf(layout, number)
  if (block === undefined) return undefined
  const at = number - block.first
  return {
    x: block.x + (at % block.columns) * layout.cell,
    y: block.y + Math.floor(at / block.columns) * layout.cell,
  }
}

export function cellAt(layout: WallLayout, x: number, y: number): number | undefined {
  for (const block of layout.blocks) {
    const [column, row] = [Math.floor((x - block.x) / layout.cell), Math.floor((y - block.y) / layout.cell)]
    if (column < 0 || row < 0 || column >= block.columns || row >= block.rows) continue
    const at = row * block.columns + column
    if (at < block.count) return block.first + at
  }
  return undefined
}

/** The cell whose middle is nearest to a place. */
export function nearestCell(layout: WallLayout, x: number, y: number): number | undefined {
  let [found, least]: [number | undefined, number] = [undefined, Number.POSITIVE_INFINITY]
  for (const { first, count, ...block } of layout.blocks) {
    const column = clamp(Math.floor((x - block.x) / layout.cell), block.columns)
    const row = clamp(Math.floor((y - block.y) / layout.cell), block.rows)
    const number = first + Math.min(count - 1, row * block.columns + column)
    const at = placeOf(layout, number)
    if (at === undefined) continue
    const distance = Math.hypot(at.x + layout.cell / 2 - x, at.y + layout.cell / 2 - y)
    if (distance < least) [found, least] = [number, distance]
  }
  return found
}

/** The neighbour in a direction; across the end of a block that of the block there. The cell itself where there is none. */
export function neighbourOf(layout: WallLayout, number: number, step: { dx: number; dy: number }): number {
  const at = placeOf(layout, number)
  if (at === undefined) return number
  const half = layout.cell / 2
  const reach = Math.max(layout.width, layout.height)
  for (let distance = layout.cell; distance <= reach; distance += half) {
    const found = cellAt(layout, at.x + half + step.dx * distance, at.y + half + step.dy * distance)
    if (found !== undefined && found !== number) return found
  }
  // The row above or below may be shorter.
  return step.dx === 0 ? number : Math.min(layout.count - 1, Math.max(0, number + step.dx))
}

function clamp(at: number, count: number): number {
  return Math.min(count - 1, Math.max(0, at))
}
