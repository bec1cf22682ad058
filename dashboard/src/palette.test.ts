/** Lines can be seen and told apart in both themes; text of theme.css meets WCAG AA. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { oklab, seenWith } from './colour-vision.ts'
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
