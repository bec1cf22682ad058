/** CPU times and the kernel's own counts: layouts of old kernels, big machines, hostile text. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseKernelStat, parseLoadAverage } from './kernel-stat.ts'
import { numberOfLine } from './proc-text.ts'

describe('parseKernelStat', () => {
  it('adds irq and softirq, and leaves guest time where it is counted already', () => {
    const { all } = parseKernelStat('cpu  10 20 30 40 50 6 7 8 9 1\ncpu0 10 20 30 40 50 6 7 8 9 1\n', { cores: false })
    assert.deepEqual(all, [10, 20, 30, 40, 50, 13, 8])
  })

  it('counts 256 cores with holes in their numbers, and parses at most 128', () => {
    const lines = Array.from({ length: 256 }, (_, core) => `cpu${core * 2} ${core} 0 0 1 0 0 0 0 0 0`)
    const text = `cpu  1 0 0 1 0 0 0 0 0 0\n${lines.join('\n')}\nintr 5${' 0'.repeat(4000)}\nctxt 7\n`
    const without = parseKernelStat(text, { cores: false })
    assert.equal(without.coreCount, 256)
    assert.equal(without.cores.size, 0)
    const { cores } = parseKernelStat(text, { cores: true })
    assert.equal(cores.size, 128)
    assert.deepEqual(cores.get('254'), [127, 0, 0, 1, 0, 0, 0])
    assert.equal(numberOfLine(text, 'intr'), 5)
    assert.equal(numberOfLine(text, 'ctxt'), 7)
  })

  it('round-trips any times (property)', () => {
    const ticks = fc.array(fc.nat(2 ** 31 - 1), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(fc.array(ticks, { minLength: 1, maxLength: 20 }), (cores) => {
        const text = cores.map((core, index) => `cpu${index} ${core.join(' ')} 0 0`).join('\n')
        const parsed = parseKernelStat(text, { cores: true })
        assert.equal(parsed.coreCount, cores.length)
        for (const [index, [user, nice, system, idle, iowait, irq = 0, softirq = 0, steal]] of cores.entries()) {
          const expected = [user, nice, system, idle, iowait, irq + softirq, steal]
          assert.deepEqual(parsed.cores.get(String(index)), expected)
        }
      }),
    )
  })

  it('survives any text (property)', () => {
    const words = fc.array(fc.constantFrom('cpu', 'cpu0', ' ', '\n', '1', '-1', 'x', '1e9', '\t'))
    fc.assert(
      fc.property(words, (list) => {
        const { all, cores } = parseKernelStat(list.join(''), { cores: true })
        for (const ticks of [...(all === undefined ? [] : [all]), ...cores.values()]) {
          assert.ok(ticks.every((tick) => tick >= 0))
        }
      }),
    )
  })
})

describe('parseLoadAverage', () => {
  it('reads averages and tasks, and refuses anything else', () => {
    assert.deepEqual(parseLoadAverage('0.20 0.18 12.34 1/80 11206\n'), { averages: [0.2, 0.18, 12.34], taskCount: 80 })
    for (const text of ['', '0.2 0.1', 'a b c 1/2 3', '0.1 0.1 0.1 7 3'])
      assert.equal(parseLoadAverage(text), undefined)
  })
})

describe('numberOfLine', () => {
  it('matches whole labels at the start of a line only', () => {
    const text = 'SwapCached: 7 kB\nCached:    12 kB\nCachedX: 9\n'
    assert.equal(numberOfLine(text, 'Cached:'), 12)
    assert.equal(numberOfLine(text, 'SwapCached:'), 7)
    assert.equal(numberOfLine(text, 'Swap'), undefined)
    assert.equal(numberOfLine(text, 'Missing:'), undefined)
    assert.equal(numberOfLine('a -3\nb\nc ', 'a'), undefined)
    assert.equal(numberOfLine('a -3\nb\nc ', 'c'), undefined)
  })
})
