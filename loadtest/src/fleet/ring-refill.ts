/**
 * Redis is flushed while questions are asked: a range of the past is read before, and again and again until the ring is whole; every
 * answer must be the same, byte for byte. What the aggregators tell Prometheus says when the ring is whole.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { scrape } from './prometheus-text.ts'

export interface RingRefillPlan {
  readonly aggregatorUrls: () => readonly string[]
  readonly queryUrls: () => readonly string[]
  /** Of a range of the past, on each query API in turn. */
  readonly paths: readonly string[]
  readonly flush: () => Promise<void>
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

export interface RingRefill {
  readonly wholeInMs: number
  /** Minutes of series that the repair pushed. */
  readonly minutes: number
  readonly answersCompared: number
}

const askEveryMs = 1_000
const requestTimeoutMs = 15_000

/** Undefined when it was cut short. @throws when an answer differs, or the ring is not whole in time. */
export async function flushAndAwaitRefill(plan: RingRefillPlan): Promise<RingRefill | undefined> {
  const { paths, queryUrls, aggregatorUrls, signal } = plan
  const expected = new Map<string, string>()
  for (const path of paths) expected.set(path, await ask(queryUrls()[0] ?? '', path))
  const before = new Map<string, Repairs>()
  await repairsSince(before, aggregatorUrls())
  const startedMs = performance.now()
  await plan.flush()
  for (let turn = 0; !signal.aborted; turn++) {
    const urls = queryUrls()
    const path = paths[turn % paths.length]
    if (path !== undefined && (await ask(urls[turn % urls.length] ?? '', path)) !== expected.get(path)) {
      throw new Error(`${path} was answered otherwise after Redis was flushed`)
    }
    const { done, minutes } = await repairsSince(before, aggregatorUrls())
    const tookMs = performance.now() - startedMs
    if (done > 0) return { wholeInMs: tookMs, minutes, answersCompared: path === undefined ? 0 : turn + 1 }
    if (tookMs > plan.deadlineMs)
      throw new Error(`the ring is not whole ${Math.round(tookMs / 1_000)} s after the flush`)
    await delay(askEveryMs, undefined, { signal }).catch(() => {})
  }
  return undefined
}

async function ask(url: string, path: string): Promise<string> {
  const answer = await fetch(url + path, { signal: AbortSignal.timeout(requestTimeoutMs) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url}${path} answered ${answer.status}: ${text.slice(0, 300)}`)
  // How far everything is complete goes on while we ask.
  return text.replace(/"completeThroughMs":\d+/, '')
}

interface Repairs {
  readonly done: number
  readonly minutes: number
}

/** What the aggregators have done since each was first looked at; one that is paused is first looked at when it goes on. */
async function repairsSince(before: Map<string, Repairs>, urls: readonly string[]): Promise<Repairs> {
  const since = { done: 0, minutes: 0 }
  for (const url of urls) {
    const rows = await scrape(url)
    if (rows.length === 0) continue
    const sum = (name: string, label: string, value: string): number =>
      rows.reduce((total, row) => total + (row.name === name && row.labels[label] === value ? row.value : 0), 0)
    const now = {
      done: sum('minutely_ring_repairs_total', 'result', 'done'),
      minutes: sum('minutely_ring_pushed_minutes_total', 'source', 'repair'),
    }
    const first = before.get(url) ?? now
    before.set(url, first)
    since.done += now.done - first.done
    since.minutes += now.minutes - first.minutes
  }
  return since
}
