/** `npm run return`: agents come back with what they kept while there was no collector; see return-options.ts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Acknowledged } from './fleet/generated-agents.ts'
import { clockTime } from './fleet/progress-lines.ts'
import { WatchedLoad } from './fleet/watched-load.ts'
import { batchSeconds } from './generated-fleet.ts'
import { interruption } from './interruption.ts'
import { cellMs } from './load-plan.ts'
import { type ReturnOptions, readReturnOptions, returnUsage } from './return-options.ts'
import { type Returned, returnProblems, returnReport } from './return-verdict.ts'
import { type StartedEmbedded, startEmbedded } from './start-embedded.ts'

const checkDeadlineMs = 300_000
/** Without a batch of the backlog. */
const stuckMs = 300_000
const liveCellsMin = 2
const progressEveryMs = 10_000
/** Measured on two busy cores, and the rest: the start, the last minute's close, the comparison. */
const batchesPerSecond = 250
const restMinutes = 3

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const options = optionsOrExit()
const interrupted = interruption()
let starting: Promise<StartedEmbedded> | undefined
let load: WatchedLoad | undefined
const folder = await mkdtemp(join(tmpdir(), 'minutely-return-'))
try {
  const returned = await Promise.race([run(options), interrupted])
  say(returnReport(returned))
  const problems = returnProblems(returned)
  for (const problem of problems) say(`WRONG      ${problem}`)
  say(problems.length === 0 ? 'exact, and live data was not held up' : `${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await load?.stop()
  // Also one that was still starting.
  const embedded = await starting?.catch(() => undefined)
  await embedded?.stop()
  await rm(folder, { recursive: true, force: true })
}
// What was interrupted goes on otherwise.
process.exit()

async function run({ agents, backlogMinutes, metrics, seed }: ReturnOptions): Promise<Returned> {
  const backlogMs = backlogMinutes * 60_000
  const backlogBatches = agents * (backlogMs / cellMs)
  const minutes = Math.ceil(backlogBatches / batchesPerSecond / 60) + restMinutes
  say(
    `takes about ${minutes} min on two cores: ${backlogBatches} batches of ${metrics * batchSeconds} samples, then the comparison`,
  )
  say('starting an embedded process')
  starting = startEmbedded(folder)
  const { url } = await starting
  const liveDelaysMs: number[] = []
  let left = backlogBatches
  let drainedAtMs = 0
  const onAcknowledged = ({ isBacklog, dueMs, nowMs }: Acknowledged): void => {
    if (!isBacklog) liveDelaysMs.push(nowMs - dueMs)
    else if (--left === 0) drainedAtMs = nowMs
  }
  const urls = (): string[] => [url]
  load = new WatchedLoad(
    // One request of each agent at a time, and none waits for another's.
    { hosts: agents, metrics, seed, backlogMs, onAcknowledged, requestsMax: agents },
    { collectorUrls: urls, queryUrls: urls },
  )
  const problems: string[] = []
  load.start()
  const startedMs = load.agents.startMs + cellMs
  const at = clockTime(startedMs)
  say(`${agents} agents return with ${backlogBatches} batches from ${at} on, when their first live batches are due too`)
  let [seen, movedAtMs] = [left, startedMs]
  while (left > 0 || Date.now() < startedMs + liveCellsMin * cellMs) {
    await delay(progressEveryMs)
    if (left !== seen) [seen, movedAtMs] = [left, Date.now()]
    if (Date.now() < startedMs) continue
    const taken = `${backlogBatches - left} of ${backlogBatches} batches of the backlog are acknowledged`
    say(`${taken}, and ${liveDelaysMs.length} live ones since ${at}`)
    if (left > 0 && Date.now() - movedAtMs > stuckMs) throw new Error(`nothing was taken for ${stuckMs} ms`)
  }
  await load.endLoad()
  const check = await load.check({ deadlineMs: checkDeadlineMs })
  say(`compared ${check.seriesMinutes} series-minutes, ${check.samples} samples`)
  problems.push(...check.problems, ...load.watch.report().problems, ...load.ledger.refusals)
  const drainedMs = drainedAtMs - startedMs
  return { agents, backlogBatches, drainedMs, liveDelaysMs, totals: load.ledger.totals(), problems }
}

function optionsOrExit(): ReturnOptions {
  try {
    const read = readReturnOptions(process.argv.slice(2))
    if (read !== 'help') return read
    say(returnUsage)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return process.exit(2)
  }
}
