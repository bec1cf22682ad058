/** The agent as a whole on virtual time: samples of every second arrive in cells of 15 s, the rest at stop. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { decodeSeriesList } from '@minutely/schema/sample-codec'
import pino from 'pino'
import { Registry } from 'prom-client'
import { agentSettings } from './config.ts'
import { flushPhaseMs } from './flush-grid.ts'
import type { HostReader } from './host-metrics.ts'
import { createScriptedCollector, type ScriptedCollector } from './scripted-collector.ts'
import { createAgent } from './service.ts'

const startMs = 1_764_028_800_000
const series = { metricId: 'system.uptime', labels: {} }

/** Value = the second it was read in, so that a sample shows whether it is in its place. */
function createSecondsReader(clock: VirtualClock): HostReader & { isClosed: boolean } {
  return {
    isClosed: false,
    read: () => [{ series, value: Math.floor((clock.nowMs() - startMs) / 1000) }],
    settled: async () => {},
    close() {
      this.isClosed = true
    },
  }
}

function valuesOf(collector: ScriptedCollector): Map<number, number> {
  const found = new Map<number, number>()
  for (const { batch } of collector.requests) {
    for (const block of batch.blocks) {
      assert.deepEqual(
        decodeSeriesList(block.series).map(({ metricId }) => metricId),
        [series.metricId],
      )
      const view = new DataView(block.values.buffer, block.values.byteOffset, block.values.byteLength)
      for (let slot = 0; slot < block.slotCount; slot += 1) {
        const value = view.getFloat64(slot * 8, true)
        if (!Number.isNaN(value)) found.set((block.startMs - startMs) / 1000 + slot, value)
      }
    }
  }
  return found
}

describe('createAgent', () => {
  it('reads every second, sends cells at its phase behind the grid, the rest when it stops', async () => {
    const collector = await createScriptedCollector()
    const clock = new VirtualClock(startMs + 500)
    const config = loadConfig({ agent: agentSettings }, { MINUTELY_SERVER_ID: 'web-17' }).agent
    const reader = createSecondsReader(clock)
    const agent = createAgent(config, {
      log: pino({ level: 'silent' }),
      clock,
      registry: new Registry(),
      collectorUrl: () => collector.url,
      hostReader: reader,
      monotonicMs: () => clock.nowMs(),
    })
    await agent.start()
    const phaseMs = flushPhaseMs('web-17')
    await clock.advance(14_500 + phaseMs - 1)
    assert.equal(collector.requests.length, 0)
    await clock.advance(1)
    const first = await collector.request(1)
    assert.deepEqual(first.starts, [startMs])
    assert.equal(first.batch.sentAtMs, startMs + 15_000 + phaseMs)
    await turn()
    await clock.advance(15_000)
    assert.deepEqual((await collector.request(2)).starts, [startMs + 15_000])
    await clock.advance(5000)
    const lastSecond = Math.floor((clock.nowMs() - startMs) / 1000)
    await agent.stop()
    const values = valuesOf(collector)
    for (let second = 1; second <= lastSecond; second += 1) assert.equal(values.get(second), second)
    assert.equal(values.size, lastSecond)
    assert.equal(reader.isClosed, true)
    assert.equal(clock.pendingCount, 0)
    await collector.close()
  })

  it('starts and stops while the collector is silent', async () => {
    const collector = await createScriptedCollector([], { health: () => {} })
    const clock = new VirtualClock(startMs)
    const config = loadConfig({ agent: agentSettings }, { MINUTELY_COLLECTOR_URL: collector.url }).agent
    const hostReader = createSecondsReader(clock)
    const log = pino({ level: 'silent' })
    const agent = createAgent(config, { log, clock, registry: new Registry(), hostReader })
    await agent.start()
    while (collector.healthChecks === 0) await turn()
    await agent.stop()
    assert.equal(clock.pendingCount, 0)
    await collector.close()
  })

  it('may be stopped without having started, and twice', async () => {
    const config = loadConfig({ agent: agentSettings }, {}).agent
    const clock = new VirtualClock(startMs)
    const agent = createAgent(config, { log: pino({ level: 'silent' }), clock, registry: new Registry() })
    await agent.stop()
    await agent.start()
    await agent.stop()
    await agent.stop()
    assert.equal(clock.pendingCount, 0)
  })
})
