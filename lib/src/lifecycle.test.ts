/** Processes that start, stop and fail, each a child (test/lifecycle-process.ts): signals and exit codes are real. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Plan } from '../test/lifecycle-process.ts'

const file = fileURLToPath(new URL('../test/lifecycle-process.ts', import.meta.url))

interface Run {
  readonly child: ChildProcess
  /** What happened so far, in order. */
  readonly lines: string[]
  /** Messages of the log so far. */
  readonly logged: { readonly level: string; readonly msg: string; readonly [field: string]: unknown }[]
  /** Resolves when the process has said this, by itself or in its log. */
  said(line: string): Promise<void>
  /** The exit code, when all of its output is read. */
  readonly ended: Promise<number | null>
}

function run(plan: Plan): Run {
  const child = spawn(process.execPath, [file, JSON.stringify(plan)], { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] })
  const lines: string[] = []
  const logged: Run['logged'] = []
  const waiting = new Map<string, () => void>()
  if (child.stdout === null) return assert.fail('no standard output')
  const reader = createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = line.startsWith('{') ? JSON.parse(line) : undefined
    if (entry === undefined) lines.push(line)
    else logged.push(entry)
    waiting.get(entry?.msg ?? line)?.()
  })
  return {
    child,
    lines,
    logged,
    said: (line) => {
      if (lines.includes(line) || logged.some(({ msg }) => msg === line)) return Promise.resolve()
      return new Promise((resolve) => waiting.set(line, resolve))
    },
    // Its 'close' does not come when we disconnect.
    ended: Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([[code]]) => code as number | null),
  }
}

const two = [{ name: 'a' }, { name: 'b' }] as const
const twoStarted = ['start a', 'started a', 'start b', 'started b']
const twoStopped = ['stop b', 'stopped b', 'stop a', 'stopped a', 'end']

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`started in order; ${signal} stops in reverse order, exit code 0`, async () => {
    const { child, lines, logged, said, ended } = run({ services: two })
    await said('started b')
    child.kill(signal)
    assert.equal(await ended, 0)
    assert.deepEqual(lines, [...twoStarted, ...twoStopped])
    assert.equal(logged.find(({ msg }) => msg === 'stopping')?.['reason'], signal)
  })
}

test('a failing start: what was started is stopped, it included; the log says why; exit code 1', async () => {
  const { lines, logged, ended } = run({ services: [{ name: 'a' }, { name: 'b', start: 'fail' }, { name: 'c' }] })
  assert.equal(await ended, 1)
  assert.deepEqual(lines, ['start a', 'started a', 'start b', ...twoStopped])
  assert.deepEqual(
    logged.map(({ level, msg }) => [level, msg]),
    [['fatal', 'start failed: b cannot start']],
  )
})

test('a failing start is explained to a person when there is one, and its stack kept for the log', async () => {
  const { lines, logged, ended } = run({ services: [{ name: 'a', start: 'fail' }], explain: true })
  assert.equal(await ended, 1)
  assert.deepEqual(lines, ['start a', 'explained: a cannot start', 'stop a', 'stopped a', 'end'])
  assert.deepEqual(
    logged.map(({ level, msg }) => [level, msg]),
    [['debug', 'start failed']],
  )
})

test('more signals change nothing, nor does one after the stop', async () => {
  const { child, lines, said, ended } = run({ services: [{ name: 'a', stop: 'until-told' }], leaveOpen: true })
  await said('started a')
  child.kill('SIGINT')
  await said('stop a')
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGINT', 'SIGHUP'] as const) child.kill(signal)
  child.stdin?.end()
  await said('end')
  child.kill('SIGINT')
  assert.equal(await ended, 0)
  assert.deepEqual(lines, ['start a', 'started a', 'stop a', 'stopped a', 'end'])
})

test('a signal during a start: it may end, then all is stopped and nothing more started', async () => {
  const { child, lines, said, ended } = run({
    services: [{ name: 'a' }, { name: 'b', start: 'until-told' }, { name: 'c' }],
  })
  await said('start b')
  child.kill('SIGTERM')
  await said('stopping')
  child.stdin?.end()
  assert.equal(await ended, 0)
  assert.deepEqual(lines, [...twoStarted, ...twoStopped])
})

test('a start that fails once a stop is requested is what one expects of an interrupted one', async () => {
  const { child, lines, logged, said, ended } = run({ services: [{ name: 'b', start: 'fail-when-told' }] })
  await said('start b')
  child.kill('SIGINT')
  await said('stopping')
  child.stdin?.end()
  assert.equal(await ended, 0)
  assert.deepEqual(lines, ['start b', 'stop b', 'stopped b', 'end'])
  assert.ok(logged.every(({ level }) => level === 'info' || level === 'debug'))
})

test('a start that only stop can end is ended by it', async () => {
  const { child, lines, said, ended } = run({
    services: [{ name: 'a' }, { name: 'b', start: 'until-stop' }],
    stopTimeoutMs: 2000,
  })
  await said('start b')
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
  assert.deepEqual(new Set(lines), new Set([...twoStarted, ...twoStopped]))
  assert.ok(lines.indexOf('stop b') < lines.indexOf('stop a'))
})

test('a start that never ends is named; the others are stopped all the same; exit code 1', async () => {
  const { child, lines, logged, said, ended } = run({
    services: [{ name: 'a' }, { name: 'b', start: 'hang' }],
    stopTimeoutMs: 200,
  })
  await said('start b')
  child.kill('SIGTERM')
  assert.equal(await ended, 1)
  assert.deepEqual(lines, ['start a', 'started a', 'start b', 'stop b', 'stopped b', 'stop a', 'stopped a'])
  assert.equal(logged.at(-1)?.msg, 'not stopped within 200 ms: start of b')
})

test('a stop that hangs is named, with those behind it; the process ends all the same, with 1', async () => {
  const services = [{ name: 'a' }, { name: 'b', stop: 'hang' }, { name: 'c' }] as const
  const { child, lines, logged, said, ended } = run({ services, stopTimeoutMs: 100 })
  await said('started c')
  child.kill('SIGTERM')
  assert.equal(await ended, 1)
  assert.deepEqual(lines.slice(6), ['stop c', 'stopped c', 'stop b'])
  assert.equal(logged.at(-1)?.msg, 'not stopped within 100 ms: b, a')
})

test('a stop that fails hinders no other, and is exit code 1', async () => {
  const { child, lines, logged, said, ended } = run({ services: [{ name: 'a' }, { name: 'b', stop: 'fail' }] })
  await said('started b')
  child.kill('SIGTERM')
  assert.equal(await ended, 1)
  assert.deepEqual(lines.slice(4), ['stop b', 'stop a', 'stopped a', 'end'])
  assert.deepEqual([logged.at(-1)?.msg, logged.at(-1)?.['service']], ['stop failed', 'b'])
})

test('what nobody stopped does not keep the process alive', async () => {
  const { child, logged, said, ended } = run({ services: two, leaveOpen: true })
  await said('started b')
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
  assert.match(logged.at(-1)?.msg ?? '', /^all is stopped but something keeps the process alive/)
})

for (const [message, words] of [
  ['throw', 'a defect'],
  ['reject', 'a forgotten promise'],
] as const) {
  test(`an unexpected error (${message}): graceful stop, then exit code 1`, async () => {
    const { child, lines, logged, said, ended } = run({ services: two })
    await said('started b')
    child.send(message)
    assert.equal(await ended, 1)
    assert.deepEqual(lines, [...twoStarted, ...twoStopped])
    assert.deepEqual([logged[0]?.level, logged[0]?.msg], ['fatal', `unexpected error: ${words}`])
  })

  test(`an unexpected error (${message}) during a start`, async () => {
    const { child, lines, said, ended } = run({ services: [{ name: 'a', start: 'until-told' }, { name: 'b' }] })
    await said('start a')
    child.send(message)
    await said('stopping')
    child.stdin?.end()
    assert.equal(await ended, 1)
    assert.deepEqual(lines, ['start a', 'started a', 'stop a', 'stopped a', 'end'])
  })
}

for (const stop of ['throw-elsewhere', 'reject-elsewhere'] as const) {
  test(`a failure while stopping (${stop}): the rest is stopped, and the exit code is 1 after all`, async () => {
    const { child, lines, logged, said, ended } = run({ services: [{ name: 'a' }, { name: 'b', stop }] })
    await said('started b')
    child.kill('SIGTERM')
    assert.equal(await ended, 1)
    assert.deepEqual(lines, [...twoStarted, ...twoStopped])
    assert.equal(logged.at(-1)?.msg, 'unexpected error: a second failure')
  })
}

test('a defect while a defect is being handled: both are logged, all is stopped, exit code 1', async () => {
  const { child, lines, logged, said, ended } = run({
    services: [{ name: 'a' }, { name: 'b', stop: 'throw-elsewhere' }],
  })
  await said('started b')
  child.send('throw')
  assert.equal(await ended, 1)
  assert.deepEqual(lines, [...twoStarted, ...twoStopped])
  const fatal = logged.filter(({ level }) => level === 'fatal').map(({ msg }) => msg)
  assert.deepEqual(fatal, ['unexpected error: a defect', 'unexpected error: a second failure'])
})

test("the parent's end stops it, exit code 0", async () => {
  const { child, lines, logged, said, ended } = run({ services: two })
  await said('started b')
  child.disconnect()
  assert.equal(await ended, 0)
  assert.deepEqual(lines, [...twoStarted, ...twoStopped])
  assert.equal(logged.at(-1)?.['reason'], 'the parent process ended')
})

test('a parent that ended before the start is noticed too: nothing is started', async () => {
  const { child, lines, ended } = run({ services: two, waitForDisconnect: true })
  await once(child, 'spawn')
  child.disconnect()
  assert.equal(await ended, 0)
  assert.deepEqual(lines, ['end'])
})
