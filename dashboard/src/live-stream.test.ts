/** The stream comes back after errors and silence, says so, and asks for what may be missing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLiveStream } from './live-stream.ts'

class FakeSource extends EventTarget {
  readyState = 1
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  send(name: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }))
  }
  close(): void {
    this.readyState = 2
  }
}

function open() {
  const sources: FakeSource[] = []
  const log: string[] = []
  const end = openLiveStream(
    '/live',
    {
      onMinute: ({ minuteMs }) => log.push(`minute ${minuteMs}`),
      onStatus: ({ completeThroughMs }) => log.push(`status ${completeThroughMs}`),
      onState: (state) => log.push(state),
      onGap: () => log.push('gap'),
      onProgress: ({ completeThroughMs }) => log.push(`progress ${completeThroughMs}`),
    },
    {
      createSource: () => {
        const source = new FakeSource()
        sources.push(source)
        return source as unknown as EventSource
      },
      random: () => 1,
    },
  )
  return { sources, log, end }
}

test('events arrive, and a reset asks to read again', () => {
  const { sources, log, end } = open()
  sources[0]?.onopen?.()
  sources[0]?.send('status', { nowMs: 9, completeThroughMs: 7 })
  sources[0]?.send('minute', { minuteMs: 5 })
  sources[0]?.send('reset', {})
  end()
  assert.deepEqual(log, ['connecting', 'connected', 'status 7', 'minute 5', 'gap'])
})

test('an HTTP error is tried again with growing pauses, and what was missed is read again', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { sources, log, end } = open()
  sources[0]?.onopen?.()
  for (const waitMs of [1000, 2000, 4000]) {
    const last = sources.at(-1)
    last?.close()
    last?.onerror?.()
    const before = sources.length
    context.mock.timers.tick(waitMs - 1)
    assert.equal(sources.length, before)
    context.mock.timers.tick(1)
    assert.equal(sources.length, before + 1)
  }
  sources.at(-1)?.onopen?.()
  end()
  assert.deepEqual(log.slice(-2), ['connected', 'gap'])
})

test('an open but silent connection is replaced', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { sources, log, end } = open()
  sources[0]?.onopen?.()
  context.mock.timers.tick(39_000)
  sources[0]?.send('status', { nowMs: 1, completeThroughMs: 1 })
  context.mock.timers.tick(39_000)
  assert.equal(sources.length, 1)
  context.mock.timers.tick(1_000)
  context.mock.timers.tick(1_000)
  assert.equal(sources.length, 2)
  assert.equal(log.at(-1), 'reconnecting')
  end()
})

test("the fleet's progress is passed on", () => {
  const { sources, log, end } = open()
  sources[0]?.send('progress', { completeThroughMs: 7, servers: null })
  assert.equal(log.at(-1), 'progress 7')
  end()
})
