/** What the DeadLetters of every SampleLog must do, as a suite that the logs' tests call. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeadLetter, DeadLetters, LogRecord, NewDeadLetter, SampleLog } from './sample-log.ts'
import { joinAndOwn, readAll, type SampleLogUnderTest } from './sample-log-contract.ts'

const series = { tenantId: 'default', serverId: 'web-1', metricId: 'system.cpu.utilization' }

export function deadLettersContract(name: string, subject: SampleLogUnderTest): void {
  test(`${name}: letters come back whole and in order, in another instance too`, async () => {
    const log = await subject.create()
    assert.deepEqual(await all(log.deadLetters), [])
    const letters = [1, 2, 3].map((position) => letterAt(log, position))
    for (const letter of letters) await log.deadLetters.add(letter)
    const other = await subject.reopen(log)
    const listed = await all(other.deadLetters)
    assert.deepEqual(
      listed.map(({ id: _, ...letter }) => letter),
      letters,
    )
    assert.equal(new Set(listed.map(({ id }) => id)).size, 3)
  })

  test(`${name}: adding the same record again loses nothing`, async () => {
    const log = await subject.create()
    await log.deadLetters.add(letterAt(log, 1))
    await log.deadLetters.add(letterAt(log, 1))
    await log.deadLetters.add(letterAt(log, 2))
    const positions = new Set((await all(log.deadLetters)).map(({ position }) => position))
    assert.deepEqual(positions, new Set([1, 2]))
  })

  test(`${name}: what append got is a record again once it is replayed, and stays listed`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    await log.append([{ ...partition, payload: Buffer.from('before') }])
    const { headers: _, unreadable: __, ...plain } = letterAt(log, 7)
    await log.deadLetters.add({ ...plain, payload: Buffer.from('mended') })
    const [letter] = await all(log.deadLetters)
    assert.ok(letter)
    await log.deadLetters.replay(letter)
    const records = await readAll(consumer, partition, 2)
    assert.deepEqual(records.map(payloadOf), ['before', 'mended'])
    assert.equal((await all(log.deadLetters)).length, 1)
  })
}

function letterAt(log: SampleLog, position: number): NewDeadLetter {
  return {
    ...log.route(series),
    position,
    appendedAtMs: 1_764_028_800_000 + position,
    reason: 'checksum',
    detail: `letter – ${position}`,
    payload: Buffer.from([0, 255, position]),
    headers: { first: Buffer.from([1, 0, 2]), second: Buffer.from('zwei') },
    unreadable: { reason: 'checksum', detail: `letter – ${position}` },
  }
}

const payloadOf = ({ payload }: LogRecord): string => payload.toString()

export async function all(deadLetters: DeadLetters): Promise<DeadLetter[]> {
  return Array.fromAsync(deadLetters.list())
}
