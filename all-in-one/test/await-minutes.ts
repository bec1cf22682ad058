/** Waits until the process has closed and merged what was sent, then says what differs from the model. */
import { setTimeout as delay } from 'node:timers/promises'
import type { SeriesAnswer } from '@minutely/schema/query-wire'
import { differences, minutesOfAnswer, type SampleModel } from './sample-model.ts'

const minuteMs = 60_000

export interface Range {
  /** Half-open, ms since the epoch. */
  readonly fromMs: number
  readonly toMs: number
}

export async function readSeries(url: string, serverId: string, { fromMs, toMs }: Range): Promise<SeriesAnswer> {
  const query = `from=${fromMs}&to=${toMs}&stepMs=${minuteMs}`
  const answer = await fetch(`${url}/v1/servers/${encodeURIComponent(serverId)}/series?${query}`)
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as SeriesAnswer
}

/** Empty when every server's minutes came to equal the model's before the deadline. */
export async function awaitMinutes(
  url: string,
  model: SampleModel,
  range: Range,
  deadlineMs = 30_000,
): Promise<string[]> {
  const giveUpAtMs = Date.now() + deadlineMs
  for (;;) {
    const problems: string[] = []
    for (const serverId of model.serverIds) {
      const answer = await readSeries(url, serverId, range).catch((error: Error) => error)
      if (answer instanceof Error) problems.push(`${serverId}: ${answer.message}`)
      else if (answer.provisionalFromMs !== null)
        problems.push(`${serverId}: not closed beyond ${answer.completeThroughMs}`)
      else
        problems.push(
          ...differences(model.minutesOf(serverId), minutesOfAnswer(answer)).map((line) => `${serverId} ${line}`),
        )
    }
    if (problems.length === 0 || Date.now() > giveUpAtMs) return problems
    await delay(200)
  }
}
