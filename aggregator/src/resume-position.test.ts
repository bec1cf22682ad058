import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '@minutely/lib/postgres/test-database'
import type { LogCommit } from '@minutely/lib/sample-log/sample-log'
import type { StoredProgress } from './minute-store.ts'
import { resume } from './resume-position.ts'

const partition = { topic: 'samples', partition: 0 }

/** What happens, in its order. */
async function resumed(committed: LogCommit, stored: Pick<StoredProgress, 'position' | 'isBehind'>) {
  const done: string[] = []
  const progress = { ...stored, completeThroughMs: 0, version: 'now', anchor: undefined }
  const { position } = await resume(partition, {
    consumer: {
      committed: async () => {
        done.push('committed')
        return committed
      },
      commit: async (_, at, mark) => void done.push(`commit ${at} ${mark}`),
      oldest: async () => 0,
      read: () => Promise.reject(new Error('nothing is read yet')),
      leave: async () => {},
    },
    minuteStore: {
      readProgress: async (_, since) => {
        done.push(`stored since ${since}`)
        return progress
      },
      voidRing: async () => void done.push('void ring'),
      forget: () => done.push('forget'),
    },
    signal: new AbortController().signal,
    log: silentLog,
  })
  return { position, done }
}

test('goes on at the lower of what was stored and what was committed', async () => {
  const asked = ['committed', 'stored since before']
  for (const [committed, stored, expected] of [
    [7, 7, 7],
    [5, 7, 5],
  ] as const) {
    const { position, done } = await resumed(
      { position: committed, mark: 'before' },
      { position: stored, isBehind: false },
    )
    assert.deepEqual([position, done], [expected, asked])
  }
  assert.equal((await resumed({ position: 0 }, { position: undefined, isBehind: false })).position, 0)
})

test('a store that lost commits: the ring is void before the commit that would hide it is set back', async () => {
  const lost = await resumed({ position: 9, mark: 'later' }, { position: 4, isBehind: true })
  const order = ['committed', 'stored since later', 'void ring', 'forget', 'commit 4 now']
  assert.deepEqual([lost.position, lost.done], [4, order])
  // Also when the position says nothing of it: an open minute kept it where it was.
  const same = await resumed({ position: 4, mark: 'later' }, { position: 4, isBehind: true })
  assert.deepEqual([same.position, same.done], [4, order])
})
