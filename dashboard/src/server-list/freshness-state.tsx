/** Whether a server still sends, as a word and a colour. */
import type { ServerEntry } from '@minutely/schema/query-wire'
import { type Freshness, freshnessOf } from '../instant-text.ts'

const states: Readonly<Record<Freshness, { tone: string; text: string }>> = {
  live: { tone: 'good', text: 'Live' },
  late: { tone: 'calm', text: 'Late' },
  stale: { tone: 'warn', text: 'Stale' },
}

export function FreshnessState({ server, nowMs }: { server: ServerEntry; nowMs: number }) {
  const { tone, text } = states[freshnessOf(server.lastSeenMs, nowMs)]
  return (
    <span className="state" data-state={tone}>
      {text}
    </span>
  )
}
