import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DeadLetter, DeadLetters } from '@minutely/lib/sample-log/sample-log'
import { runDeadLetters, UsageError } from './dead-letters-command.ts'

const letters: DeadLetter[] = [0, 1, 2].map((index) => ({
  id: `0-${index}`,
  topic: 'minutely.samples.cpu',
  partition: 3,
  position: 40 + index,
  appendedAtMs: Date.UTC(2027, 0, 15, 9, index),
  reason: 'checksum',
  detail: `CRC-32 of record ${index} is wrong`,
  payload: Buffer.from([index, 0xff, 0x00]),
  headers: { minutely: Buffer.from([1, 2]) },
}))

async function run(args: readonly string[], kept = letters): Promise<{ lines: string[]; replayed: string[] }> {
  const lines: string[] = []
  const replayed: string[] = []
  const deadLetters: DeadLetters = {
    add: async () => {},
    list: async function* () {
      yield* kept
    },
    replay: async ({ id }) => void replayed.push(id),
  }
  await runDeadLetters(args, { deadLetters, write: (line) => lines.push(line) })
  return { lines, replayed }
}

test('list shows where, when and why, newest last, and how many are not shown', async () => {
  const { lines } = await run(['list', '--limit', '2'])
  assert.equal(lines.length, 3)
  assert.match(String(lines[0]), /^0-1 {2}2027-01-15T09:01.* minutely\.samples\.cpu\/3 @ 41 {2}3 B {2}checksum: CRC/)
  assert.match(String(lines[2]), /^1 older ones are not shown; --limit 3/)
  assert.deepEqual((await run(['list'], [])).lines, ['There are no dead letters.'])
  const [line = ''] = (await run(['list', '--json'])).lines
  assert.equal(JSON.parse(line).position, 40)
})

test('show writes the bytes as they are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'minutely-dead-letters-'))
  try {
    const out = join(folder, 'letter.bin')
    const { lines } = await run(['show', '0-2', '--out', out])
    assert.deepEqual([...readFileSync(out)], [2, 0xff, 0x00])
    assert.ok(lines.some((line) => line === 'header minutely: 0102'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('replay puts back those that are named, or all', async () => {
  assert.deepEqual((await run(['replay', '0-2', '0-0'])).replayed, ['0-0', '0-2'])
  assert.deepEqual((await run(['replay', '--all'])).replayed, ['0-0', '0-1', '0-2'])
})

for (const args of [
  [],
  ['remove'],
  ['list', '--limit', '-1'],
  ['list', '--all-of-them'],
  ['show'],
  ['show', 'x'],
  ['replay'],
]) {
  test(`\`${args.join(' ')}\` is refused with the reason`, async () => {
    await assert.rejects(run(args), UsageError)
  })
}
