/** The sender of a fleet's samples (sender-main.ts), started and listened to. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface SentMessage {
  readonly samples: number
  /** 0: no answer. */
  readonly status: number
  readonly tookMs: number
}

export interface Sender {
  /** What was answered since the last time. */
  take(): SentMessage[]
  stop(): Promise<void>
}

export function startSender(asked: {
  readonly urls: readonly string[]
  readonly servers: number
  readonly metrics: number
}): Sender {
  const child = fork(fileURLToPath(new URL('./sender-main.ts', import.meta.url)), [JSON.stringify(asked)])
  let sent: SentMessage[] = []
  child.on('message', (message: SentMessage) => void sent.push(message))
  return {
    take: () => {
      const taken = sent
      sent = []
      return taken
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
