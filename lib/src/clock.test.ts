import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { SystemClock, VirtualClock } from './clock.ts'
import { clockContract } from './clock-contract.ts'

clockContract('system', {
  create: () => new SystemClock(),
  // A timer of its own, which holds the process, unlike the clock's.
  pass: (_clock, durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
})
clockContract('virtual', {
  create: () => new VirtualClock(1_800_000_000_000),
  pass: (clock, durationMs) => (clock as VirtualClock).advance(durationMs),
})

test('the system clock is in ms since the epoch', () => {
  const beforeMs = Date.now()
  const nowMs = new SystemClock().nowMs()
  assert.ok(beforeMs <= nowMs && nowMs <= Date.now())
})

test("the system clock's timers keep no process alive", () => {
  const program = `
    import { SystemClock } from ${JSON.stringify(new URL('./clock.ts', import.meta.url).href)}
    new SystemClock().schedule(3_600_000, () => {})
    new SystemClock().schedule(2 ** 40, () => {})
  `
  const { status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { timeout: 30_000 })
  assert.equal(status, 0)
})

test('virtual time stands still until advanced, and each timer sees its own instant', async () => {
  const clock = new VirtualClock(1000)
  const seen: number[] = []
  const tick = (): void => {
    seen.push(clock.nowMs())
    if (seen.length < 5) clock.schedule(10, tick)
  }
  clock.schedule(10, tick)
  assert.equal(clock.nowMs(), 1000)
  await clock.advance(35)
  assert.deepEqual(seen, [1010, 1020, 1030])
  assert.equal(clock.nowMs(), 1035)
  await clock.advance(5)
  assert.deepEqual(seen, [1010, 1020, 1030, 1040])
  assert.equal(clock.pendingCount, 1)
})

test('virtual: what a timer sets going is done before the next one fires', async () => {
  const clock = new VirtualClock(0)
  const order: string[] = []
  clock.schedule(1, async () => {
    order.push('first')
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    order.push('first, later')
  })
  clock.schedule(1, () => order.push('second'))
  await clock.advance(1)
  assert.deepEqual(order, ['first', 'first, later', 'second'])
})

test('virtual: the same program runs the same way every time', async () => {
  const run = async (): Promise<string> => {
    const clock = new VirtualClock(0)
    const abort = new AbortController()
    const trace: string[] = []
    const worker = async (id: number): Promise<void> => {
      for (let round = 0; round < 20 && !abort.signal.aborted; round++) {
        await clock.sleep((id * 7 + round * 3) % 11, abort.signal)
        trace.push(`${id}@${clock.nowMs()}`)
      }
    }
    const working = Promise.all([1, 2, 3, 4].map(worker))
    clock.schedule(60, () => abort.abort())
    await clock.advance(100)
    await working
    assert.equal(clock.pendingCount, 0)
    return trace.join(' ')
  }
  const first = await run()
  for (let round = 0; round < 5; round++) assert.equal(await run(), first)
})

test('virtual: pendingCount counts what waits, neither what fired nor what was cancelled or aborted', async () => {
  const clock = new VirtualClock(0)
  const abort = new AbortController()
  const sleeping = clock.sleep(50, abort.signal)
  const cancel = clock.schedule(10, () => {})
  clock.schedule(20, () => {})
  assert.equal(clock.pendingCount, 3)
  cancel()
  assert.equal(clock.pendingCount, 2)
  await clock.advance(30)
  assert.equal(clock.pendingCount, 1)
  abort.abort()
  await sleeping
  assert.equal(clock.pendingCount, 0)
})

test('virtual: time cannot be turned back', async () => {
  const clock = new VirtualClock(100)
  for (const durationMs of [-1, Number.NaN]) await assert.rejects(clock.advance(durationMs), /BUG: /)
  assert.equal(clock.nowMs(), 100)
})
