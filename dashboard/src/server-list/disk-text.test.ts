import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StorageAnswer } from '@minutely/schema/query-wire'
import { diskText } from './disk-text.ts'

const dayMs = 86_400_000
const gib = 1_073_741_824
const answer: StorageAnswer = {
  nowMs: 1_764_028_800_000,
  tiers: [],
  storedBytes: 1.25 * gib,
  settledBytes: 3.5 * gib,
  settledAtMs: 1_764_028_800_000 + 2 * dayMs,
  measuredHours: 24,
  disk: { freeBytes: 80 * gib, reserveBytes: 0, fullAtMs: null },
}

test('what is there, and where it settles', () => {
  assert.deepEqual(diskText(answer), {
    text: 'Disk: 1.25 GiB, 80 GiB free; it will settle near 3.5 GiB in 2 days.',
    isTight: false,
  })
  assert.equal(diskText({ ...answer, disk: null }).text, 'Disk: 1.25 GiB; it will settle near 3.5 GiB in 2 days.')
  assert.match(diskText({ ...answer, settledAtMs: answer.nowMs + dayMs / 2 }).text, /near 3\.5 GiB within a day\.$/)
  assert.match(diskText({ ...answer, settledAtMs: answer.nowMs }).text, /; it has settled\.$/)
})

test('only what is there while no growth is known', () => {
  const unknown = { ...answer, settledBytes: null, settledAtMs: null, measuredHours: 0 }
  assert.equal(diskText(unknown).text, 'Disk: 1.25 GiB, 80 GiB free.')
})

test('a disk that is full before', () => {
  const disk = { freeBytes: gib, reserveBytes: 0, fullAtMs: answer.nowMs + 1.2 * dayMs }
  assert.deepEqual(diskText({ ...answer, disk }), {
    text: 'Disk: 1.25 GiB, 1 GiB free; at this rate it is full in a day.',
    isTight: true,
  })
})
