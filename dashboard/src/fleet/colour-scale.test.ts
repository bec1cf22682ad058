/** The wall's colours are even, in order for everybody, and seen on the ground; its domain is of the many, not of outliers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oklab, seenWith } from '../colour-vision.ts'
import { contrast, linear, panelColors, type Scheme } from '../palette.ts'
import { domainOf, histogramOf, levelCount, levelOf, ramps } from './colour-scale.ts'

const schemes: readonly Scheme[] = ['dark', 'light']

test('lightness rises from end to end in even steps, also with colour blindness', () => {
  for (const scheme of schemes) {
    for (const vision of ['everybody', 'protanopia', 'deuteranopia', 'tritanopia']) {
      const { colors } = ramps[scheme]
      const lightness = [0, 0.25, 0.5, 0.75, 1].map((at) => {
        const color = colors[Math.round(at * (levelCount - 1))] ?? ''
        return oklab(seenWith(vision, linear(color)))[0] ?? 0
      })
      const sign = scheme === 'dark' ? 1 : -1
      const steps = lightness.slice(1).map((value, at) => sign * (value - (lightness[at] ?? 0)))
      assert.ok(Math.min(...steps) > 0.05, `${scheme} ${vision}: ${steps}`)
      assert.ok(Math.max(...steps) < 2.6 * Math.min(...steps), `${scheme} ${vision}: ${steps}`)
    }
  }
})

test('no cell vanishes in the ground, and text on each can be read', () => {
  for (const scheme of schemes) {
    const { colors, inks } = ramps[scheme]
    for (const [level, color] of colors.entries()) {
      assert.ok(contrast(color, panelColors[scheme]) >= 1.3, `${scheme} ${color} on the panel`)
      assert.ok(contrast(color, inks[level] ?? '') >= 4.5, `${scheme} ${inks[level]} on ${color}`)
    }
  }
})

test('a few outliers do not make all others one colour', () => {
  const values = Array.from({ length: 1000 }, (_, at) => 0.2 + at / 2000)
  const domain = domainOf([...values, 40, 50])
  assert.deepEqual(domain, { low: 0.21, high: 0.7 })
  assert.deepEqual([levelOf(50, { low: 0.2, high: 0.7 }), levelOf(-1, { low: 0.2, high: 0.7 })], [levelCount - 1, 0])
})

test('of few servers none is an outlier', () => {
  assert.deepEqual(domainOf([1, 2, 90]), { low: 0, high: 90 })
})

test('few shares are shown as such, and those beyond the whole by their values', () => {
  assert.deepEqual(domainOf([0.31, 0.35], 1), { low: 0, high: 1 })
  assert.deepEqual(domainOf([0.9, 1.9], 1), { low: 0.9, high: 1.9 })
  assert.deepEqual(domainOf(Array(60).fill(0.4), 1), { low: 0, high: 1 })
})

test('a domain has a length, whatever the values are', () => {
  assert.equal(domainOf([]), undefined)
  assert.deepEqual(domainOf([0, 0]), { low: 0, high: 1 })
  assert.deepEqual(domainOf([5, 5, 5]), { low: 0, high: 10 })
  assert.deepEqual(domainOf([-5]), { low: -10, high: 0 })
  assert.deepEqual(domainOf([-5, 5]), { low: -5, high: 5 })
})

test('every value is in the histogram', () => {
  assert.deepEqual(histogramOf([-1, 0, 0.49, 0.5, 1, 9], { low: 0, high: 1 }, 2), [3, 3])
})
