/** The agent with its spool on virtual time and a real folder: an outage of an hour with a restart in it, and a full disk. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import pino from 'pino'
import { Registry } from 'prom-client'
import { agentSettings, agentSpoolSettings } from './config.ts'
import { cellMs, flushPhaseMs } from './flush-grid.ts'
import { accept, answer, createScriptedCollector, type ScriptedAnswer } from './scripted-collector.ts'
import { createAgent } from './service.ts'

const startMs = 1_764_028_800_000
const hourMs = 3_600_000
const series = { metricId: 'system.uptime', labels: {} }
const requestsMax = 5000

const cleanUps: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-spool-'))
  cleanUps.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A collector that is down when told, an agent that can be restarted, and time that waits for the requests under way. */
async function setUp(spoolDir: string) {
  const clock = new VirtualClock(startMs - 500)
  const state = { isDown: false, accepted: [] as number[][] }
  const scripted: ScriptedAnswer = (response, request) => {
    if (!state.isDown) state.accepted.push([...request.starts].sort((a, b) => a - b))
    return (state.isDown ? answer(503, {}) : accept)(response, request)
  }
  const collector = await createScriptedCollector(Array.from({ length: requestsMax }, () => scripted))
  cleanUps.push(() => collector.close())
  const env = { MINUTELY_SERVER_ID: 'web-17', MINUTELY_AGENT_SPOOL_DIR: spoolDir }
  const { agent: config, spool } = loadConfig({ agent: agentSettings, spool: agentSpoolSettings }, env)
  const logged: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) })
  let registry = new Registry()
  let answeredBefore = 0
  const hostReader = { read: () => [{ series, value: clock.nowMs() }], settled: async () => {}, close: () => {} }
  const monotonicMs = () => clock.nowMs()

  async function metric(name: string): Promise<number> {
    const found = await registry.getSingleMetric(`minutely_agent_${name}`)?.get()
    return found?.values.reduce((sum, { value }) => sum + value, 0) ?? Number.NaN
  }
  async function start(serverId: string) {
    registry = new Registry()
    answeredBefore = collector.requests.length
    const started = createAgent(
      { ...config, serverId, spool },
      { log, clock, registry, collectorUrl: () => collector.url, hostReader, monotonicMs, random: () => 0.5 },
    )
    await started.start()
    return started
  }
  let agent = await start('web-17')
  cleanUps.push(() => agent.stop())
  return {
    collector,
    clock,
    state,
    logged,
    metric,
    readiness: () => agent.readiness(),
    waiting: () => agent.waiting(),
    async restart(serverId = 'web-17') {
      await agent.stop()
      agent = await start(serverId)
    },
    async run(durationMs: number) {
      for (const untilMs = clock.nowMs() + durationMs; clock.nowMs() < untilMs; ) {
        await clock.advance(1000)
        for (let turns = 0; turns < 3; turns += 1) await turn()
        // Each answer is a retry, or counted as one sample shipped (that is what `accept` says).
        const answered = async () =>
          answeredBefore + (await metric('ship_retries_total')) + (await metric('samples_shipped_total'))
        while ((await answered()) < collector.requests.length) await turn()
      }
    },
  }
}

const cells = (firstMs: number, untilMs: number): number[] =>
  Array.from({ length: (untilMs - firstMs) / cellMs }, (_, index) => firstMs + index * cellMs)

describe('an agent with a spool', () => {
  it('sends an hour of outage once each after it, live first, at most a quarter of the requests, also when it was restarted', async () => {
    const { collector, clock, state, run, restart, metric } = await setUp(await temporaryFolder())
    await run(flushPhaseMs('web-17') + 63_000)
    assert.deepEqual(state.accepted.flat(), cells(startMs, startMs + 60_000))
    state.isDown = true
    await run(hourMs / 2)
    await restart()
    assert.ok((await metric('spool_samples_recovered_total')) > 1700)
    assert.equal(await metric('queue_bytes'), 0)
    const requestsBefore = collector.requests.length
    await run(hourMs / 2)
    assert.equal(collector.requests[requestsBefore]?.starts.length, 1, 'the backlog came before what is new')
    state.isDown = false
    const before = state.accepted.length
    await run(hourMs / 6)
    const after = state.accepted.slice(before)
    const isLive = (request: readonly number[], index: number) =>
      request.length === 1 && after.slice(0, index).every((earlier) => Math.max(...earlier) < (request[0] ?? 0))
    const kinds = after.map((request, index) => (isLive(request, index) ? 'live' : 'backlog'))
    assert.equal(kinds[0], 'live')
    for (let from = 0; from + 4 <= kinds.length; from += 1) {
      const backlog = kinds.slice(from, from + 4).filter((kind) => kind === 'backlog')
      assert.ok(backlog.length <= 1, kinds.join(' '))
    }
    const untilMs = Math.floor((clock.nowMs() - cellMs) / cellMs) * cellMs
    const stored = state.accepted.flat().filter((oneMs) => oneMs < untilMs)
    assert.deepEqual(
      [...new Set(stored)].sort((a, b) => a - b),
      cells(startMs, untilMs),
    )
    // The restart was within a cell: it is two batches.
    assert.equal(stored.length, new Set(stored).size + 1)
    assert.equal(await metric('queue_batches'), 0)
    assert.equal(await metric('samples_dropped_total'), 0)
    assert.ok((await metric('spool_bytes')) < 1_100_000)
  })

  it('says what waits, what a stop keeps and where, and that it is delivered', async () => {
    const dir = await temporaryFolder()
    const { state, logged, run, restart, metric, waiting } = await setUp(dir)
    await run(60_000)
    assert.equal(waiting().samples, 0)
    state.isDown = true
    await run(90_000)
    const { samples, oldestMs, room } = waiting()
    assert.ok(samples >= 60 && oldestMs >= 60_000, `${samples} samples, ${oldestMs} ms`)
    assert.equal(room, `256 of 256 MiB are left in ${dir}, samples are kept for 24 h`)
    await restart()
    const kept = logged.flatMap((line) => [
      ...line.matchAll(/(\d+) samples are kept in (.*), they are sent at the next/g),
    ])
    assert.deepEqual(
      kept.map(([, count, where]) => [Number(count), where]),
      [[await metric('spool_samples_recovered_total'), dir]],
    )
    assert.equal(logged.filter((line) => line.includes('lost')).length, 0)
    state.isDown = false
    await run(120_000)
    assert.equal(waiting().samples, 0)
    assert.equal(logged.filter((line) => /caught up: \d+ samples/.test(line)).length, 1)
  })

  it('goes on, ships the newest and says once what is wrong while its disk takes nothing', async (t) => {
    const folder = await temporaryFolder()
    const spoolDir = join(folder, 'spool')
    const disk = fullDisk(spoolDir, t)
    cleanUps.push(disk.release)
    const { state, logged, run, readiness, metric, restart } = await setUp(spoolDir)
    await run(60_000)
    assert.equal(readiness(), null)
    state.isDown = true
    await disk.fill()
    await run(120_000)
    assert.match(readiness() ?? '', /the spool cannot be written: (ENOSPC|ENOENT)/)
    assert.equal(await metric('spool_writable'), 0)
    assert.ok((await metric('spool_failures_total')) > 0)
    assert.equal(logged.filter((line) => line.includes('the spool cannot be written')).length, 1)
    state.isDown = false
    await run(120_000)
    assert.equal(await metric('samples_dropped_total'), 0)
    assert.equal(await metric('queue_batches'), 0)
    await disk.empty()
    await run(180_000)
    assert.equal(readiness(), null)
    assert.equal(logged.filter((line) => line.includes('the spool can be written again')).length, 1)
    state.isDown = true
    await run(60_000)
    await restart()
    assert.ok((await metric('spool_samples_recovered_total')) >= 60)
  })

  it('starts without its folder, says so, and takes it when it can be had', async () => {
    const folder = await temporaryFolder()
    const spoolDir = join(folder, 'spool')
    writeFileSync(spoolDir, 'a file where the folder should be')
    const { state, logged, run, readiness } = await setUp(spoolDir)
    state.isDown = true
    await run(90_000)
    assert.match(readiness() ?? '', /cannot create the spool folder: .*MINUTELY_AGENT_SPOOL_DIR/)
    assert.equal(logged.filter((line) => line.includes('cannot create the spool folder')).length, 1)
    await rm(spoolDir)
    // Making a folder takes real time, in which the clock goes on.
    while (readiness() !== null) await run(10_000)
    await run(30_000)
    assert.ok((await readdir(spoolDir)).some((name) => name.endsWith('.segment')))
  })

  it('sends what waited when its host was renamed under the old name, what is new under the new one', async () => {
    const { collector, state, run, restart } = await setUp(await temporaryFolder())
    state.isDown = true
    await run(60_000)
    await restart('web-18')
    state.isDown = false
    const before = collector.requests.length
    await run(120_000)
    const sent = collector.requests.slice(before).map(({ batch, starts }) => ({ serverId: batch.serverId, starts }))
    const isOld = ({ starts }: { starts: readonly number[] }) => Math.max(...starts) < startMs + 60_000
    assert.equal(sent.find(isOld)?.serverId, 'web-17')
    assert.deepEqual(
      [...new Set(sent.filter((request) => !isOld(request)).map(({ serverId }) => serverId))],
      ['web-18'],
    )
  })

  it('does not start on the folder of another agent', async () => {
    const spoolDir = join(await temporaryFolder(), 'spool')
    await setUp(spoolDir)
    await assert.rejects(
      setUp(spoolDir),
      /^FolderInUseError: another agent \(pid \d+\) is using .*MINUTELY_AGENT_SPOOL_DIR$/,
    )
  })
})

/** A file system of 1 MiB that can be full, where one may be mounted; else a folder that can be away. */
function fullDisk(dir: string, t: { diagnostic(message: string): void }) {
  mkdirSync(dir)
  const ballast = join(dir, 'ballast')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', dir], { stdio: 'ignore' })
  } catch {
    t.diagnostic('no file system may be mounted here: the folder goes away instead of being full')
    const away = `${dir}-away`
    return { fill: () => rename(dir, away), empty: () => rename(away, dir), release: async () => {} }
  }
  return {
    async fill() {
      assert.throws(() => writeFileSync(ballast, Buffer.alloc(1 << 20)), { code: 'ENOSPC' })
    },
    empty: () => rm(ballast),
    release: async () => void execFileSync('umount', [dir]),
  }
}
