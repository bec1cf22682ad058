/** What agents meet: collectors that die or restart in the middle of their requests, connections that lose the answer. */
import type { Cut } from '../fleet/tcp-gate.ts'
import type { ChaosWorld } from './chaos-world.ts'
import type { FaultContext, FaultKind } from './fault-kind.ts'

/** From the arrival of a request to the answer: the linger, the append, and some more. */
const requestMs = 600
const cutsMax = 12

/** kill -9 while a request is under way: before, during or after it was published. */
async function killAtRequest(context: FaultContext<ChaosWorld>): Promise<boolean> {
  const { world, random, signal, tally, say } = context
  const one = world.keeper.take(
    world.doors.map((door) => door.process),
    random,
  )
  const door = world.doors.find(({ process }) => process === one)
  if (one === undefined || door === undefined) return false
  try {
    await door.gate.awaitTraffic(signal)
    if (signal.aborted) return false
    await context.sleep(random.between(0, requestMs))
    await one.kill()
    tally.add('kills')
    say(`kill -9 of ${one.name} in the middle of requests`)
    await context.sleep(random.between(0, context.outageMsMax / 4))
    return true
  } finally {
    await world.keeper.giveBack(one)
  }
}

async function stopAndStart(context: FaultContext<ChaosWorld>): Promise<boolean> {
  const { world, random, tally, say } = context
  const one = world.keeper.take(
    world.doors.map((door) => door.process),
    random,
  )
  if (one === undefined) return false
  try {
    say(`SIGTERM of ${one.name}`)
    await one.stop()
    tally.add('stops')
    return true
  } finally {
    await world.keeper.giveBack(one)
  }
}

function cutRequests(when: Cut['when']): (context: FaultContext<ChaosWorld>) => Promise<boolean> {
  return async ({ world, random, signal, tally, say, sleep }) => {
    const door = random.pick(world.doors)
    if (door === undefined) return false
    const before = door.gate.cutsMade
    const times = Math.ceil(random.between(1, cutsMax))
    say(`the next ${times} requests to ${door.process.name} lose ${when === 'after' ? 'their answers' : 'their ends'}`)
    door.gate.cutNext({ when, times })
    const startedMs = Date.now()
    while (!signal.aborted && door.gate.cutsMade - before < times && Date.now() - startedMs < 20_000) await sleep(250)
    door.gate.cutNext({ when, times: 0 })
    tally.add(when === 'after' ? 'lostAnswers' : 'cutRequests', door.gate.cutsMade - before)
    return door.gate.cutsMade > before
  }
}

export const faultsOnDistributedCollectors: readonly FaultKind<ChaosWorld>[] = [
  {
    name: 'collector-killed',
    lane: 'collectors',
    describes: 'kill -9 of a collector in the middle of requests, before or after they were published',
    weight: 2,
    run: killAtRequest,
  },
  {
    name: 'collector-restarted',
    lane: 'collectors',
    describes: 'SIGTERM of a collector under load, then a start',
    weight: 1,
    run: stopAndStart,
  },
]

/** Also of the embedded process. */
export const faultsOnRequests: readonly FaultKind<ChaosWorld>[] = [
  {
    name: 'answer-lost',
    lane: 'collectors',
    describes: 'requests are delivered and done, their answers are lost: the agents send again',
    weight: 1,
    run: cutRequests('after'),
  },
  {
    name: 'request-cut',
    lane: 'collectors',
    describes: 'requests are cut in half on their way',
    weight: 1,
    run: cutRequests('half'),
  },
]
