/** How current a page about many servers is: whether closed minutes are told live, and how far they are closed. */
import { clockNear } from './instant-text.ts'
import type { Progress } from './use-progress.ts'

const states = {
  connecting: { tone: 'calm', text: 'Connecting…' },
  connected: { tone: 'good', text: 'Live' },
  reconnecting: { tone: 'bad', text: 'Reconnecting…' },
} as const

export function LiveText({ progress }: { progress: Progress }) {
  const { tone, text } = states[progress.state]
  return (
    <span className="state" data-state={tone} data-testid="live-state" data-live={progress.state} role="status">
      {text}
    </span>
  )
}

export function CompleteThrough({ completeThroughMs, nowMs }: { completeThroughMs: number; nowMs: number }) {
  return (
    <div title="Every minute before this is final">
      <dt>Complete through</dt>
      <dd>{completeThroughMs === 0 ? '–' : clockNear(completeThroughMs, nowMs)}</dd>
    </div>
  )
}
