/**
 * The checker and the final watch can fail: against a real process, what is lost, invented or not acknowledged is found and
 * named, and what is right passes. Cells of a few minutes ago are sent, so that nothing has to be waited for.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { DeliveryLedger, minuteMs } from '../src/fleet/delivery-ledger.ts'
import { FinalWatch, type FinalWatchReport } from '../src/fleet/final-watch.ts'
import { checkFleetExactly, type FleetCheckResult } from '../src/fleet/fleet-checker.ts'
import { ServiceProcess } from '../src/fleet/service-process.ts'
import { batchHeaders, GeneratedFleet } from '../src/generated-fleet.ts'
import { cellMs } from '../src/load-plan.ts'
import { takeLogFolder } from './fleet-fixture.ts'

const settleMs = 20_000

describe('the checks of a fleet', { timeout: 120_000 }, () => {
  const fleet = new GeneratedFleet({ hostCount: 2, metricCount: 5, seed: 3 })
  const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - 4 * minuteMs
  const endMs = startMs + 2 * minuteMs
  const lostCell = startMs + 5 * cellMs
  let embedded: ServiceProcess

  before(async () => {
    const folder = await takeLogFolder()
    embedded = new ServiceProcess({
      name: 'embedded',
      main: 'all-in-one/src/main.ts',
      logFile: join(folder, 'embedded.log'),
      settings: { MINUTELY_DATA_DIR: join(folder, 'data'), MINUTELY_LOCAL_AGENT: 'off' },
    })
    await embedded.start()
    await embedded.awaitReady(30_000)
    for (const [host, cell] of sentCells()) {
      const body = new Uint8Array(fleet.body(host, { startMs: cell, sentAtMs: cell + cellMs }))
      const answer = await fetch(`${embedded.url}/v1/samples`, { method: 'POST', headers: batchHeaders, body })
      assert.equal(answer.status, 202, await answer.text())
    }
    const { problems } = await check(ledgerOf(sentCells()), settleMs)
    assert.deepEqual(problems, [], 'what was sent and acknowledged is exact')
  })
  after(() => embedded?.stop())

  /** All but one cell of host 1. */
  function sentCells(): [host: number, cell: number][] {
    const cells = Array.from({ length: (endMs - startMs) / cellMs }, (_, index) => startMs + index * cellMs)
    const all = [0, 1].flatMap((host) => cells.map((cell): [number, number] => [host, cell]))
    return all.filter(([host, cell]) => host !== 1 || cell !== lostCell)
  }

  /** As if each had been acknowledged in time. */
  function ledgerOf(cells: readonly [host: number, cell: number][]): DeliveryLedger {
    const ledger = new DeliveryLedger()
    for (const [host, cell] of cells) {
      ledger.attempt(host, cell, { nowMs: cell + cellMs })
      ledger.acknowledge(host, cell, { nowMs: cell + cellMs })
    }
    return ledger
  }

  function check(ledger: DeliveryLedger, deadlineMs = 0): Promise<FleetCheckResult> {
    return checkFleetExactly({ fleet, ledger, startMs, endMs, deadlineMs, queryUrls: () => [embedded.url] })
  }

  async function watch(ledger: DeliveryLedger): Promise<FinalWatchReport> {
    const config = { fleet, hosts: [0, 1], latenessMs: 10_000, everyMs: 10 }
    const watching = new FinalWatch(config, { ledger, startMs: () => startMs, queryUrls: () => [embedded.url] })
    watching.start()
    while (watching.report().answers < 4) await delay(10)
    await watching.stop()
    return watching.report()
  }

  test('a batch that was tried but never acknowledged may be there or not', async () => {
    const ledger = ledgerOf(sentCells())
    ledger.attempt(1, lostCell, { nowMs: lostCell + cellMs })
    assert.deepEqual((await check(ledger)).problems, [])
    assert.deepEqual((await watch(ledger)).problems, [])
  })

  test('an acknowledged batch that is missing is found, with its first second', async () => {
    const ledger = ledgerOf([...sentCells(), [1, lostCell]])
    const expected = new RegExp(`host-00001 .*${new Date(lostCell).toISOString().slice(0, 19)}Z: acknowledged, but`)
    const { problems } = await check(ledger)
    assert.equal(problems.length, fleet.series.length)
    // Of a constant one cannot say which of its cells is missing.
    assert.match(problems.join('\n'), expected)
    assert.match((await watch(ledger)).problems.join('\n'), expected)
  })

  test('one that is there and was never sent is found', async () => {
    const ledger = ledgerOf(sentCells().slice(1))
    const expected = new RegExp(`host-00000 .*${new Date(startMs).toISOString().slice(0, 19)}Z: .*never sent`)
    assert.match((await check(ledger)).problems.join('\n'), expected)
    assert.match((await watch(ledger)).problems.join('\n'), expected)
  })

  test('one that was acknowledged after its minute closed may be missing from a final answer, not in the end', async () => {
    const ledger = ledgerOf(sentCells())
    ledger.attempt(1, lostCell, { nowMs: lostCell + cellMs })
    ledger.acknowledge(1, lostCell, { nowMs: startMs + 2 * minuteMs + 30_000 })
    assert.deepEqual((await watch(ledger)).problems, [])
    assert.notDeepEqual((await check(ledger)).problems, [])
  })

  test('minutes that are not closed are not judged as if they were', async () => {
    const { problems } = await checkFleetExactly({
      fleet,
      ledger: ledgerOf(sentCells()),
      startMs,
      endMs: Date.now() + minuteMs,
      deadlineMs: 0,
      queryUrls: () => [embedded.url],
    })
    assert.match(problems[0] ?? '', /is complete through .* only/)
  })
})
