/**
 * The embedded process as a contestant, with a clock `speed` times as fast as the machine's.
 *
 * What waits for the disk or gathers for it keeps its real time, or there were `speed` times as many appends and flushes as in real life
 * at that many samples a second: the linger and the append's deadline are multiplied, as far as their bounds allow.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { allInOneSettings } from '@minutely/all-in-one/config'
import { checkFleet, type FleetCheck, type FleetVerdict } from '../check-fleet.ts'
import { scrape, valuesOfMetric } from '../fleet/prometheus-text.ts'
import { GeneratedFleet } from '../generated-fleet.ts'
import { sampleShare } from './bench-numbers.ts'
import type { Contestant, Finding, Running, StartRequest } from './contestant.ts'
import type { Interval } from './measured-run.ts'
import { PostgresLook } from './postgres-look.ts'
import { askForProfile, preload } from './profiles.ts'
import type { FleetTime, SendPlan } from './send-plan.ts'

/** Real time for the start, before the fleet's time is where the first batch begins. */
const startMs = 8_000
const appendDeadlineMsMax = 600_000
const lingerMsMax = 5_000
const pollMs = 250
/** Answers that stay wrong for so long are wrong: one merge of what came late takes seconds on a busy machine. */
const unchangedMs = 30_000
const mergeMsMax = 120_000
/** A gauge may be as old as the batch that is being stored. */
const idleLooks = 4
const checkedHostsMax = 10
const minuteMs = 60_000
const pointsMax = Number(allInOneSettings.query.pointsMax.default)

export const embeddedContestant: Contestant = { name: 'Minutely, embedded', format: 'avro', start: startEmbedded }

async function startEmbedded(request: StartRequest): Promise<Running> {
  const { folder: dataDir, plan, speed, isProfiled } = request
  const script = fileURLToPath(new URL('../embedded-under-test.ts', import.meta.url))
  const beginMs = plan.startMs - startMs * speed
  const child = spawn(process.execPath, [...(isProfiled ? preload : []), script, String(speed), String(beginMs)], {
    env: {
      ...process.env,
      MINUTELY_DATA_DIR: dataDir,
      MINUTELY_PORT: '0',
      MINUTELY_LOCAL_AGENT: 'off',
      MINUTELY_LINGER_MS: scaled(allInOneSettings.collector.lingerMs.default, { speed, max: lingerMsMax }),
      MINUTELY_APPEND_DEADLINE_MS: scaled(allInOneSettings.collector.appendDeadlineMs.default, {
        speed,
        max: appendDeadlineMsMax,
      }),
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  if (child.stdout === null) throw new Error('BUG: no pipe')
  const listening = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const line = await Promise.race([listening, ended.then(() => undefined)])
  if (line === undefined) throw new Error('the embedded process ended before it listened; see above')
  const { url, startedAtMs, realMs } = JSON.parse(line[0]) as { url: string; startedAtMs: number; realMs: number }
  const time: FleetTime = { realMs, fleetMs: startedAtMs, speed }
  const pid = child.pid ?? 0
  const look = await PostgresLook.embedded(dataDir)
  return {
    url: `${url}/v1/samples`,
    time,
    roots: new Map([[pid, 'Node']]),
    backends: () => look.backends(),
    settle: async (interval) => {
      await untilComplete(url, { plan, toMs: interval.toMs })
      await untilMerged(url)
    },
    check: (interval) => checkMinutely({ url, metricsUrls: [url] }, { plan, interval }),
    disk: () => look.disk(),
    profiled: [pid],
    startProfile: async () => void child.send({ profile: 'start' }),
    stopProfile: async (folder) => {
      const file = join(folder, 'node.cpuprofile')
      await askForProfile((message) => void child.send(message), file)
      return [{ name: 'Node', pid, file }]
    },
    metricsUrls: [url],
    stop: async () => {
      await look.close()
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** A setting whose clock goes `speed` times as fast. */
function scaled(ms: string, { speed, max }: { speed: number; max: number }): string {
  return String(Math.round(Math.min(Number(ms) * speed, max)))
}

/** Until every minute of the fleet is closed up to this instant. */
export async function untilComplete(url: string, { plan, toMs }: { plan: SendPlan; toMs: number }): Promise<void> {
  const host = fleetOf(plan).serverId(0)
  for (;;) {
    const answer = await fetch(`${url}/v1/servers/${host}/series?metricId=none&from=${plan.startMs}&to=${toMs}`)
    const { completeThroughMs } = (await answer.json()) as { completeThroughMs: number }
    if (completeThroughMs >= toMs) return
    await delay(pollMs)
  }
}

/** Until nothing that came late waits to be merged, so that it counts. */
async function untilMerged(url: string): Promise<void> {
  const untilMs = Date.now() + mergeMsMax
  for (let looks = 0; looks < idleLooks && Date.now() < untilMs; await delay(pollMs)) {
    const open = valuesOfMetric(await scrape(url), 'minutely_aggregator_open_minutes')
    looks = open.some((count) => count > 0) ? 0 : looks + 1
  }
}

function fleetOf({ hostCount, metricCount }: SendPlan): GeneratedFleet {
  return new GeneratedFleet({ hostCount, metricCount, seed: 1 })
}

/** Every minute of some hosts. On a busy machine samples are late; they are merged some seconds later, and waited for. */
export async function checkMinutely(
  { url, metricsUrls }: { url: string; metricsUrls: readonly string[] },
  { plan, interval }: { plan: SendPlan; interval: Interval },
): Promise<Finding> {
  const hosts = Array.from({ length: Math.min(plan.hostCount, checkedHostsMax) }, (_, index) =>
    Math.floor((index * plan.hostCount) / checkedHostsMax),
  )
  // The last ones; an answer has no more points.
  const fromMs = Math.max(interval.fromMs, interval.toMs - Math.floor(pointsMax / plan.metricCount) * minuteMs)
  const verdict = await settledVerdict({
    url,
    fleet: fleetOf(plan),
    hosts: [...new Set(hosts)],
    fromMs,
    toMs: interval.toMs,
  })
  const rows = (await Promise.all(metricsUrls.map(scrape))).flat()
  const late = valuesOfMetric(rows, 'minutely_aggregator_late_samples_total').reduce((sum, value) => sum + value, 0)
  const share = sampleShare(late, plan)
  return {
    checked: `minutes of ${new Set(hosts).size} hosts, ${verdict.checkedMinutes} series-minutes`,
    problems: verdict.problems,
    remarks:
      late > 0 ? [`${share} of the samples came late and were merged, which costs more than it would in time`] : [],
  }
}

async function settledVerdict(check: FleetCheck): Promise<FleetVerdict> {
  let verdict = await checkFleet(check)
  let changedAtMs = Date.now()
  while (verdict.problems.length > 0 && Date.now() - changedAtMs < unchangedMs) {
    await delay(pollMs)
    const next = await checkFleet(check)
    if (next.problems.join('\n') !== verdict.problems.join('\n')) changedAtMs = Date.now()
    verdict = next
  }
  return verdict
}
