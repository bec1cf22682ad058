import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimerHeap, type VirtualTimer } from './timer-heap.ts'

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), dueMs: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fire' as const) }) },
)

test('the first is always the earliest, and of those the oldest, whatever was added, cancelled, fired', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new TimerHeap()
      const made: VirtualTimer[] = []
      let model: VirtualTimer[] = []
      for (const one of steps) {
        if (one.kind === 'add') {
          const timer = { dueMs: one.dueMs, sequence: made.length, callback: () => {}, at: -1 }
          heap.add(timer)
          made.push(timer)
          model.push(timer)
        } else {
          const gone = one.kind === 'fire' ? heap.first : made[one.which % Math.max(1, made.length)]
          if (gone !== undefined) heap.remove(gone)
          model = model.filter((timer) => timer !== gone)
        }
        model.sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence)
        assert.equal(heap.first, model[0])
        assert.equal(heap.size, model.length)
      }
    }),
  )
})
