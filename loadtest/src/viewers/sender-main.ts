/**
 * The agents of the fleet, in a process of its own: `sender-main.ts <json>` sends every 15 s a batch of each server, each in its phase, and
 * tells of each how long its answer took. One more server has as many series as make a stalled viewer hard to bear.
 */
import { Agent, request } from 'node:http'
import { batchHeaders, GeneratedFleet } from '../generated-fleet.ts'
import { agentPhaseMs, cellMs } from '../load-plan.ts'
import { wideHost, wideSeries } from './crowd.ts'
import type { SentMessage } from './sender.ts'

const asked = JSON.parse(process.argv[2] ?? '{}') as { urls: readonly string[]; servers: number; metrics: number }
const fleet = new GeneratedFleet({ hostCount: asked.servers, metricCount: asked.metrics, seed: 1 })
const wide = new GeneratedFleet({ hostCount: 1, metricCount: wideSeries, seed: 1 })
const agent = new Agent({ keepAlive: true, maxSockets: 50 })

function send(host: number, startMs: number): void {
  const from = host === wideHost ? wide : fleet
  const body = from.body(host, { startMs, sentAtMs: Date.now() })
  const samples = from.shape.metricCount * (cellMs / 1_000)
  const sentMs = performance.now()
  const tell = (status: number): void => {
    const message: SentMessage = { samples, status, tookMs: performance.now() - sentMs }
    process.send?.(message)
  }
  const url = `${asked.urls[host % asked.urls.length]}/v1/samples`
  const posted = request(url, { method: 'POST', agent, headers: batchHeaders }, (response) => {
    response.resume()
    response.on('end', () => tell(response.statusCode ?? 0))
  })
  posted.on('error', () => tell(0))
  posted.end(body)
}

function sendCell(startMs: number): void {
  const hosts = [...Array.from({ length: asked.servers }, (_, host) => host), wideHost]
  const endMs = startMs + cellMs
  for (const host of hosts) {
    const atMs = endMs + agentPhaseMs(fleet.serverId(host))
    setTimeout(() => send(host, startMs), Math.max(0, atMs - Date.now()))
  }
  setTimeout(() => sendCell(endMs), endMs + cellMs - Date.now())
}

sendCell(Math.floor(Date.now() / cellMs) * cellMs)
process.on('disconnect', () => process.exit())
