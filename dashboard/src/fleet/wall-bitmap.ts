/**
 * The wall's colours, one pixel a cell, drawn large later: so a frame costs the same for ten servers and for ten thousand. Silent
 * servers are transparent; what is painted below shows.
 */
import type { Scheme } from '../palette.ts'
import { type Domain, levelOf, ramps } from './colour-scale.ts'
import type { FleetRow } from './fleet-rows.ts'
import type { Block } from './wall-layout.ts'

export interface WallColors {
  readonly panel: string
  readonly raised: string
  readonly line: string
  readonly text: string
  readonly dim: string
  readonly warn: string
  readonly accent: string
}

export interface CellStyle {
  readonly scheme: Scheme
  readonly domain: Domain | undefined
  readonly colors: WallColors
  /** Those that the filter leaves out are nearly the ground. */
  readonly isDimmed: (row: FleetRow) => boolean
}

const opaque = 255
const dimmedShare = 0.14
const dimmedSilentAlpha = 200

/** Red, green, blue, alpha of columns x rows; cells beyond the last server are ground. */
export function cellPixels(rows: readonly FleetRow[], block: Block, style: CellStyle): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(block.columns * block.rows * 4)
  const { scheme, domain, colors, isDimmed } = style
  const ramp = ramps[scheme].colors.map(partsOf)
  const [ground, none] = [partsOf(colors.panel), partsOf(colors.raised)]
  for (let at = 0; at < block.columns * block.rows; at++) {
    const row = at < block.count ? rows[block.first + at] : undefined
    const put = (parts: readonly number[], share: number, alpha = opaque) => {
      for (const part of [0, 1, 2]) {
        const under = ground[part] ?? 0
        pixels[at * 4 + part] = under + ((parts[part] ?? 0) - under) * share
      }
      pixels[at * 4 + 3] = alpha
    }
    if (row === undefined) put(ground, 1)
    else if (row.isSilent) put(ground, 1, isDimmed(row) ? dimmedSilentAlpha : 0)
    else {
      const parts = row.value === null || domain === undefined ? none : (ramp[levelOf(row.value, domain)] ?? none)
      put(parts, isDimmed(row) ? dimmedShare : 1)
    }
  }
  return pixels
}

export function bitmapsOf(rows: readonly FleetRow[], blocks: readonly Block[], style: CellStyle): HTMLCanvasElement[] {
  return blocks.map((block) => {
    const canvas = document.createElement('canvas')
    canvas.width = Math.max(1, block.columns)
    canvas.height = Math.max(1, block.rows)
    if (block.count > 0) {
      canvas
        .getContext('2d')
        ?.putImageData(new ImageData(cellPixels(rows, block, style), block.columns, block.rows), 0, 0)
    }
    return canvas
  })
}

/** Red, green and blue of #rrggbb, or of #rgb, to which the build shortens it. */
export function partsOf(color: string): number[] {
  const long = color.length === 4 ? color.replace(/[^#]/g, '$&$&') : color
  return [1, 3, 5].map((at) => Number.parseInt(long.slice(at, at + 2), 16))
}

/** As theme.css has them. `scheme` says when to look again. */
export function wallColors(_scheme: Scheme): WallColors {
  const css = getComputedStyle(document.documentElement)
  const token = (name: string) => css.getPropertyValue(`--m-${name}`).trim()
  return {
    panel: token('panel'),
    raised: token('raised'),
    line: token('line'),
    text: token('text'),
    dim: token('dim'),
    warn: token('warn'),
    accent: token('accent'),
  }
}
