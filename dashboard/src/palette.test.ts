/** Lines can be seen and told apart in both themes; text of theme.css meets WCAG AA. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { contrast, linear, lineColors, linesMax, panelColors, type Scheme } from './palette.ts'

const css = readFileSync(new URL('./theme.css', import.meta.url), 'utf8')
const schemes: readonly Scheme[] = ['dark', 'light']

/** The colours that theme.css names for a scheme. */
function tokens(scheme: Scheme): Map<string, string> {
  const start = css.search(new RegExp(`\\[data-mantine-color-scheme=.${scheme}.\\] {`))
  const block = css.slice(start, css.indexOf('}', start))
  return new Map(
    [...block.matchAll(/(--m-[a-z-]+): (#[0-9a-f]{6});/g)].map(([, name = '', color = '']) => [name, color]),
  )
}

test('every line colour has a contrast of 3:1 with the panel', () => {
  for (const scheme of schemes) {
    assert.equal(lineColors[scheme].length, linesMax)
    assert.equal(tokens(scheme).get('--m-panel'), panelColors[scheme])
    for (const color of lineColors[scheme]) assert.ok(contrast(color, panelColors[scheme]) >= 3, `${scheme} ${color}`)
  }
})

test('any two line colours can be told apart, by everybody', () => {
  // Distances of OKLab times 100; 2 is just noticeable side by side. The first palette had pairs at 0.5.
  const leasts = { everybody: 15, protanopia: 10, deuteranopia: 10, tritanopia: 10 }
  for (const scheme of schemes)
    for (const [vision, least] of Object.entries(leasts)) {
      const seen = lineColors[scheme].map((color) => oklab(seenWith(vision, linear(color))))
      seen.forEach((a, i) => {
        for (const [j, b] of seen.slice(0, i).entries()) {
          const distance = 100 * Math.hypot(...a.map((part, at) => part - (b[at] ?? 0)))
          assert.ok(
            distance >= least,
            `${scheme}, ${vision}: ${lineColors[scheme][i]} and ${lineColors[scheme][j]} ${distance}`,
          )
        }
      })
    }
})

test('text has a contrast of 4.5:1 with the page and the panels', () => {
  for (const scheme of schemes) {
    const colors = tokens(scheme)
    for (const text of ['--m-text', '--m-dim', '--m-accent', '--m-good', '--m-warn', '--m-bad'])
      for (const ground of ['--m-page', '--m-panel', '--m-raised'])
        assert.ok(contrast(colors.get(text) ?? '', colors.get(ground) ?? '') >= 4.5, `${scheme} ${text} on ${ground}`)
  }
})

/** Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB. */
const visions: Readonly<Record<string, readonly (readonly number[])[]>> = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}

function seenWith(vision: string, color: readonly number[]): number[] {
  const matrix = visions[vision]
  return matrix === undefined ? [...color] : times(matrix, color).map((part) => Math.min(1, Math.max(0, part)))
}

/** Ottosson's OKLab of a linear RGB colour. */
function oklab(color: readonly number[]): number[] {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    color,
  )
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones.map(Math.cbrt),
  )
}

function times(matrix: readonly (readonly number[])[], vector: readonly number[]): number[] {
  return matrix.map((row) => row.reduce((sum, factor, at) => sum + factor * (vector[at] ?? 0), 0))
}
