import assert from 'node:assert/strict'
import { it } from 'node:test'
import { quantile, slope, viewersReport } from './viewers-report.ts'

it('quantiles are values that there are, slopes those of a line', () => {
  assert.deepEqual([quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 0.99), quantile([], 0.5)], [2, 3, Number.NaN])
  assert.deepEqual([slope([1, 3, 5, 7]), slope([4, 4, 4]), slope([1])], [2, 0, 0])
})

it('the report says each part', () => {
  const part = {
    seconds: 10,
    samples: 1_000,
    failed: 0,
    tookMs: [1, 2],
    cpuS: 0.002,
    residentBytes: [1e6, 2e6, 3e6, 4e6],
  }
  const text = viewersReport({
    delaysMs: new Map([['fleet', [100, 200]]]),
    missed: 1,
    parts: [
      { ...part, name: 'before' },
      { ...part, name: 'with viewers' },
    ],
    dropped: '3 slow',
    open: 997,
  })
  assert.match(text, /^\| fleet \| 2 \| 100 \| 200 \| 200 \|$/m)
  assert.match(text, /997 streams open, 1 times .* dropped by the server: 3 slow/)
  assert.match(text, /^\| before \| 100 \| 1.0 \| 2.0 \| 2.00 \| 0 \|$/m)
  assert.match(text, /^\| with viewers \| 2 \| 4 \| 12.0 \|$/m)
})
