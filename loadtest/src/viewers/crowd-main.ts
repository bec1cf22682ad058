/**
 * The crowd of viewers, in a process of its own: `crowd-main.ts <json>` opens the streams, notes when each sees a closed minute
 * for the last time, and tells it minute by minute. Instants are of the machine's clock, ms since the epoch.
 *
 *   {viewers, urls, servers, metrics}       ─>  {kind:'open', count}   {kind:'minute', minuteMs, watching, arrivalsMs}   {kind:'ended', count}
 */
import { get, type IncomingMessage } from 'node:http'
import { GeneratedFleet } from '../generated-fleet.ts'
import { type CrowdMessage, stalledCount, type Watching, wideHost } from './crowd.ts'

const asked = JSON.parse(process.argv[2] ?? '{}') as {
  viewers: number
  urls: readonly string[]
  servers: number
  metrics: number
}
const fleet = new GeneratedFleet({ hostCount: asked.servers, metricCount: asked.metrics, seed: 1 })
const questions = ['', '?limit=5&quantile=0.05,0.25,0.5,0.75,0.95', '?by=max&order=top', '?order=bottom&limit=20']
/** By what is watched and minute: by viewer. */
const arrivals = new Map<string, Map<number, number>>()
let openCount = 0
let endedCount = 0
const tell = (message: CrowdMessage): void => void process.send?.(message)

function pathOf(viewer: number): { watching: Watching; path: string } {
  if (viewer % 5 === 4) return { watching: 'fleet', path: '/v1/live' }
  if (viewer % 5 < 2) {
    const serverId = fleet.serverId(viewer % asked.servers)
    return { watching: 'server', path: `/v1/servers/${serverId}/live` }
  }
  const { metricId } = fleet.series[Math.floor(viewer / 5) % Math.min(20, asked.metrics)] ?? { metricId: 'none' }
  return { watching: 'metric', path: `/v1/metrics/${metricId}/live${questions[viewer % questions.length]}` }
}

function watch(viewer: number): void {
  const url = asked.urls[viewer % asked.urls.length] ?? ''
  const isStalled = viewer < stalledCount
  const { watching, path } = isStalled
    ? { watching: 'server' as const, path: `/v1/servers/${fleet.serverId(wideHost)}/live` }
    : pathOf(viewer)
  const request = get(`${url}${path}`, { agent: false }, (response) => {
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`)
    openCount++
    if (isStalled) response.pause()
    else read(response, watching, viewer)
    response.on('close', () => endedCount++)
  })
  request.on('error', () => endedCount++)
}

function read(response: IncomingMessage, watching: Watching, viewer: number): void {
  let text = ''
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const minuteMs = closedMinuteOf(text.slice(0, end), watching)
      text = text.slice(end + 2)
      if (minuteMs !== undefined) note(watching, minuteMs, viewer)
    }
  })
}

function closedMinuteOf(event: string, watching: Watching): number | undefined {
  if (watching === 'fleet') {
    if (!event.startsWith('event: progress')) return undefined
    return Number(/"completeThroughMs":(\d+)/.exec(event)?.[1]) - 60_000
  }
  if (!event.startsWith('event: minute') || event.includes('"provisional":true')) return undefined
  return Number(/"minuteMs":(\d+)/.exec(event)?.[1])
}

function note(watching: Watching, minuteMs: number, viewer: number): void {
  const key = `${watching} ${minuteMs}`
  const known = arrivals.get(key) ?? new Map<number, number>()
  arrivals.set(key, known.set(viewer, Date.now()))
}

/** What is older than the newest minute is complete. */
function tellMinutes(): void {
  const newestMs = Math.max(0, ...[...arrivals.keys()].map((key) => Number(key.split(' ')[1])))
  for (const [key, known] of arrivals) {
    const [watching, minute] = key.split(' ') as [Watching, string]
    if (Number(minute) >= newestMs) continue
    tell({ kind: 'minute', watching, minuteMs: Number(minute), arrivalsMs: [...known.values()] })
    arrivals.delete(key)
  }
  tell({ kind: 'state', openCount, endedCount })
}

// Not all in one instant: nobody's viewers come so.
for (let viewer = 0; viewer < asked.viewers; viewer++) setTimeout(() => watch(viewer), viewer * 5)
setInterval(tellMinutes, 5_000)
process.on('disconnect', () => process.exit())
