/**
 * For tests: an agent as a process of its own, with a spool, whose samples are known and whose time runs fast.
 *
 *   node known-values-agent.ts <collector URL> <spool folder> <first value> <start of time, ms> <speed>
 *
 * Each reading has three series with the values n, n + 0.25 and n + 0.5; n is written to standard output before it is handed on,
 * and grows by one. Time is that of all processes with the same start of time.
 */
import { writeSync } from 'node:fs'
import { type Clock, SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { holdProcess, runServices } from '@minutely/lib/lifecycle'
import { createLogger, loggingSettings } from '@minutely/lib/logging'
import { Registry } from 'prom-client'
import { agentSettings, agentSpoolSettings } from './config.ts'
import { createAgent } from './service.ts'

class FastClock implements Clock {
  readonly #system = new SystemClock()
  readonly #startMs: number
  readonly #speed: number

  constructor(startMs: number, { speed }: { readonly speed: number }) {
    this.#startMs = startMs
    this.#speed = speed
  }

  nowMs(): number {
    return this.#startMs + (this.#system.nowMs() - this.#startMs) * this.#speed
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return this.#system.sleep(durationMs / this.#speed, signal)
  }

  schedule(delayMs: number, callback: () => void): () => void {
    return this.#system.schedule(delayMs / this.#speed, callback)
  }
}

const [collectorUrl = '', spoolDir = '', firstValue = '', startMs = '', speed = ''] = process.argv.slice(2)
const config = loadConfig(
  { agent: agentSettings, spool: agentSpoolSettings, logging: loggingSettings },
  { MINUTELY_SERVER_ID: 'web-17', MINUTELY_AGENT_SPOOL_DIR: spoolDir, MINUTELY_LOG_LEVEL: 'silent' },
)
const series = [1, 2, 3].map((number) => ({ metricId: `known.m${number}`, labels: {} }))
const clock = new FastClock(Number(startMs), { speed: Number(speed) })
let value = Number(firstValue)
const hostReader = {
  read() {
    value += 1
    writeSync(1, `${value}\n`)
    return series.map((one, index) => ({ series: one, value: value + index / 4 }))
  },
  settled: async () => {},
  close: () => {},
}
const log = createLogger(config.logging)
const agent = createAgent(
  { ...config.agent, spool: config.spool },
  {
    log,
    clock,
    registry: new Registry(),
    collectorUrl: () => collectorUrl,
    hostReader,
    monotonicMs: () => clock.nowMs(),
  },
)
// It listens to nobody, which is what keeps other processes alive.
const release = holdProcess()
process.exitCode = await runServices([agent], { log })
release()
