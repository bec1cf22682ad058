/** The crowd of viewers (crowd-main.ts), started and listened to. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export type Watching = 'server' | 'metric' | 'fleet'

export type CrowdMessage =
  | {
      readonly kind: 'minute'
      readonly watching: Watching
      readonly minuteMs: number
      /** Of each viewer that saw it, the last event of that minute. */
      readonly arrivalsMs: readonly number[]
    }
  | { readonly kind: 'state'; readonly openCount: number; readonly endedCount: number }

/** Of the viewers, so many take nothing; they watch a server with so many series that the kernel cannot hold its events. */
export const stalledCount = 3
export const wideHost = 90_000
export const wideSeries = 2_000

export interface Crowd {
  readonly minutes: readonly Extract<CrowdMessage, { kind: 'minute' }>[]
  readonly state: Extract<CrowdMessage, { kind: 'state' }>
  stop(): Promise<void>
}

export function startCrowd(asked: {
  readonly viewers: number
  readonly urls: readonly string[]
  readonly servers: number
  readonly metrics: number
}): Crowd {
  const child = fork(fileURLToPath(new URL('./crowd-main.ts', import.meta.url)), [JSON.stringify(asked)])
  const minutes: Extract<CrowdMessage, { kind: 'minute' }>[] = []
  let state: Crowd['state'] = { kind: 'state', openCount: 0, endedCount: 0 }
  child.on('message', (message: CrowdMessage) => {
    if (message.kind === 'minute') minutes.push(message)
    else state = message
  })
  return {
    minutes,
    get state() {
      return state
    },
    stop: async () => {
      // Ended by a signal it has no exit code; waiting for its end once more would take for ever.
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}
