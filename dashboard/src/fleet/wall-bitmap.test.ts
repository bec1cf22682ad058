/** Pixels of the wall: values are colours, silence is see-through, no value and nothing are not the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ramps } from './colour-scale.ts'
import type { FleetRow } from './fleet-rows.ts'
import { cellPixels, partsOf, type WallColors } from './wall-bitmap.ts'

const colors: WallColors = {
  panel: '#fff',
  raised: '#eceff2',
  line: '#dde2e7',
  text: '#1a2026',
  dim: '#56616c',
  warn: '#8a5000',
  accent: '#0b5cad',
}
const row = (value: number | null, isSilent = false): FleetRow => ({
  server: { serverId: 'a', firstSeenMs: 0, lastSeenMs: 0 },
  value,
  group: null,
  isSilent,
})
const block = { name: null, count: 4, first: 0, x: 0, y: 0, columns: 5, rows: 1 }
const rows = [row(0), row(null), row(0.9, true), row(1)]
const pixelsOf = (isDimmed: (row: FleetRow) => boolean): number[][] => {
  const pixels = cellPixels(rows, block, { scheme: 'light', domain: { low: 0, high: 1 }, colors, isDimmed })
  return Array.from({ length: 5 }, (_, at) => [...pixels.subarray(at * 4, at * 4 + 4)])
}

test('each kind of cell looks its own way', () => {
  const [zero, none, silent, one, nobody] = pixelsOf(() => false)
  const { colors: scale } = ramps.light
  assert.deepEqual(zero, [...partsOf(scale[0] ?? ''), 255])
  assert.deepEqual(one, [...partsOf(scale.at(-1) ?? ''), 255])
  assert.deepEqual(none, [...partsOf(colors.raised), 255])
  assert.equal(silent?.[3], 0)
  assert.deepEqual(nobody, [255, 255, 255, 255])
})

test('what the filter leaves out is nearly the ground', () => {
  for (const [red = 0, green = 0, blue = 0, alpha = 0] of pixelsOf(() => true)) {
    assert.ok(Math.min(red, green, blue) > 210 && alpha >= 200, `${red} ${green} ${blue} ${alpha}`)
  }
})
