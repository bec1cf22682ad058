/** What a collector reports of refused samples: exact in total, bounded in names. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import type { IngestCounter } from '@minutely/lib/ingest-report/ingest-report'
import { minuteMs } from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import fc from 'fast-check'
import { Rejections } from './accept/rejections.ts'
import { IngestCounts } from './ingest-counts.ts'

function rig(ingestHostsMax: number) {
  const clock = new VirtualClock(0)
  const added: (Record<string, string | number> & { count: number })[] = []
  const ingest: IngestCounter = {
    add: (metric, labels, count) => void added.push({ metric, ...labels, count }),
    set: () => {},
  }
  const counts = new IngestCounts({ clock, ingest, config: { ingestHostsMax } })
  /** Refuses so many samples of each host, in a request each, then reports. */
  const report = (byHost: Record<string, number>, reason: RejectReason = 'value-too-large') => {
    for (const [host, count] of Object.entries(byHost)) counts.judged(0, rejectionsOf(host, reason, count))
    added.length = 0
    counts.report()
    return Object.fromEntries(
      [...Map.groupBy(added, ({ host }) => String(host))].map(([host, of]) => [
        host,
        of.reduce((sum, { count }) => sum + count, 0),
      ]),
    )
  }
  return { clock, counts, added, report }
}

function rejectionsOf(serverId: unknown, reason: RejectReason, count: number): Rejections {
  const rejections = new Rejections()
  rejections.serverId = serverId
  rejections.add('m', reason, { count, place: { list: 'samples', index: 0 }, detail: () => '' })
  return rejections
}

describe('refused samples by host', () => {
  it('name the worst, and put the rest together', () => {
    const { report } = rig(2)
    assert.deepEqual(report({ a: 1, b: 5, c: 3 }), { b: 5, c: 3, '(other hosts)': 1 })
  })

  it('keep a name until it was not refused for a day', () => {
    const { report, clock } = rig(1)
    assert.deepEqual(report({ a: 1 }), { a: 1 })
    assert.deepEqual(report({ a: 1, worse: 9 }), { a: 1, '(other hosts)': 9 })
    clock.advance(1_441 * minuteMs)
    assert.deepEqual(report({ worse: 9 }), { worse: 9 })
  })

  it('are one for everything that is no name, and for ours', () => {
    const { report } = rig(50)
    assert.deepEqual(report({ 'x y': 1, '': 2, [`${'x'.repeat(201)}`]: 3, 'minutely:ingest': 4 }), {
      '(no valid name)': 10,
    })
  })

  it('add up to what was refused, in few names, whoever writes them (property)', () => {
    const refusals = fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 9 })), {
      maxLength: 200,
    })
    fc.assert(
      fc.property(refusals, fc.nat(5), (all, hostsMax) => {
        const { counts, added } = rig(hostsMax)
        for (const [host, count] of all) counts.judged(0, rejectionsOf(host, 'time-too-old', count))
        added.length = 0
        counts.report()
        assert.equal(
          added.reduce((sum, { count }) => sum + count, 0),
          all.reduce((sum, [, count]) => sum + count, 0),
        )
        assert.ok(new Set(added.map(({ host }) => host)).size <= hostsMax + 2)
      }),
    )
  })

  it('are bounded within one request', () => {
    const rejections = new Rejections()
    for (let i = 0; i < 5_000; i++) {
      rejections.serverId = `h${i}`
      rejections.add('m', 'time-too-old', { count: 1, place: { list: 'samples', index: 0 }, detail: () => '' })
    }
    assert.equal(rejections.countByHost.size, 1_001)
    assert.equal(rejections.countByHost.get('(other hosts)')?.get('time-too-old'), 4_000)
  })
})

it('requests that were refused as a whole are counted by their error', () => {
  const { counts, added } = rig(1)
  counts.refused('overloaded')
  assert.deepEqual(added, [{ metric: 'requests', error: 'overloaded', count: 1 }])
})
