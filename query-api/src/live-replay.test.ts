/** How a replay is cut into parts, and what it takes of the budget. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import type { StoredSeries } from './dictionary.ts'
import { partPointsMax, planReplay, type ReplayParts, replayMarginMs } from './live-replay.ts'
import { defaultConfig } from './test-api.ts'

const nowMs = Date.UTC(2026, 0, 5, 12)

function plan(seriesCount: number, missedMinutes: number) {
  const series = Array.from({ length: seriesCount }, (_, seriesId): StoredSeries => {
    return { seriesId, serverId: 'a', tag: 0, metricId: 'm', labels: {} }
  })
  const lastEventId = String(nowMs - missedMinutes * minuteMs)
  return planReplay(
    { serverId: 'a', lastEventId, completeThroughMs: nowMs, nowMs },
    {
      session: { findSeries: async ({ limit }) => ({ series: series.slice(0, limit), completeThroughMs: 0 }) },
      config: defaultConfig,
    },
  )
}

describe('a replay', () => {
  it('is read in parts of bounded points that follow each other from the margin on', async () => {
    const { parts, budgetPoints } = (await plan(4000, 30)) as ReplayParts
    assert.ok(parts.length > 10)
    let atMs = nowMs - 30 * minuteMs - replayMarginMs
    for (const { fromMs, toMs, seriesIds } of parts) {
      assert.equal(fromMs, atMs)
      assert.ok((seriesIds.length * (toMs - fromMs)) / minuteMs <= partPointsMax)
      atMs = toMs
    }
    assert.ok(atMs > nowMs)
    assert.ok(budgetPoints >= 4000)
    // What is held at one time does not grow with what was missed.
    assert.equal(((await plan(4000, 60)) as ReplayParts).budgetPoints, budgetPoints)
  })

  it('of few series is read at once, of none not at all', async () => {
    assert.equal(((await plan(100, 30)) as ReplayParts).parts.length, 1)
    assert.equal(((await plan(0, 30)) as ReplayParts).parts.length, 0)
  })

  it('of too many points is a reset, whose series are not all read', async () => {
    const replay = await plan(100_000, 30)
    assert.equal(replay.kind, 'reset')
  })
})
