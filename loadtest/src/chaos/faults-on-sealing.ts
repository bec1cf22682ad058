/** The one that seals hours dies, or stands still while another one takes its place, at each step of sealing. */
import type { ServiceProcess } from '../fleet/service-process.ts'
import type { DistributedWorld } from './distributed-world.ts'
import { type Failpoint, sealFailpoints } from './failpoint-names.ts'
import type { FaultContext, FaultKind } from './fault-kind.ts'
import { isStopped, stayPaused } from './faults-on-aggregators.ts'

/** Late data of sealed hours comes all the time, every 15 s from each host that has some. */
const sealDeadlineMs = 60_000
/** Who has not begun to seal an hour for so long may not be the one that seals any more. */
const silentMsMax = 20_000
const pollMs = 50

type Context = FaultContext<DistributedWorld>

/** Whoever said last that it seals, if nobody has taken it. */
function takeSealer({ world, random }: Context): ServiceProcess | undefined {
  const [last] = world.aggregators.toSorted((a, b) => b.lastMessageAtMs - a.lastMessageAtMs)
  if (last === undefined || Date.now() - last.lastMessageAtMs > silentMsMax) return undefined
  return world.keeper.take([last], random)
}

/** Has the one that seals stop at a step; does nothing when it does not come there in time. */
async function atStep(
  context: Context,
  { failpoint, signal }: { failpoint: Failpoint; signal: 'SIGKILL' | 'SIGSTOP' },
  then: (one: ServiceProcess) => Promise<boolean>,
): Promise<boolean> {
  const { world, sleep } = context
  const giveUpAtMs = Date.now() + sealDeadlineMs
  const isTime = (): boolean => !context.signal.aborted && Date.now() < giveUpAtMs
  let one: ServiceProcess | undefined
  while (isTime()) {
    one = takeSealer(context)
    if (one !== undefined) break
    await sleep(pollMs)
  }
  if (one === undefined) return false
  try {
    one.tell({ failpoint, signal })
    // Another one may be the one that seals by now.
    for (const untilMs = Date.now() + silentMsMax; isTime() && Date.now() < untilMs; await sleep(pollMs)) {
      if (one.state === 'ended' || (await isStopped(one.pid))) return await then(one)
    }
    return false
  } finally {
    one.tell({})
    await world.keeper.giveBack(one)
  }
}

function dieAt(failpoint: Failpoint): (context: Context) => Promise<boolean> {
  return (context) =>
    atStep(context, { failpoint, signal: 'SIGKILL' }, async (one) => {
      context.tally.add('kills')
      context.say(`${one.name} died ${failpoint}`)
      await context.sleep(context.random.between(0, context.outageMsMax / 4))
      return true
    })
}

async function pauseSealer(context: Context): Promise<boolean> {
  const failpoint = context.random.pick(sealFailpoints) ?? 'before-seal-commit'
  return atStep(context, { failpoint, signal: 'SIGSTOP' }, async (one) => {
    one.pause()
    context.say(`${one.name} stopped ${failpoint}`)
    return stayPaused(one, context)
  })
}

export const faultsOnSealing: readonly FaultKind<DistributedWorld>[] = [
  {
    name: 'sealer-paused',
    lane: 'sealing',
    describes:
      'SIGSTOP of the aggregator that seals hours, at a step of it: what it goes on with comes after others took over',
    weight: 1,
    run: pauseSealer,
  },
  ...sealFailpoints.map((failpoint) => ({
    name: `sealer-dies-${failpoint}`,
    lane: 'sealing' as const,
    describes: 'kill -9 of the aggregator that seals hours, at the step that its name says',
    weight: 1,
    run: dieAt(failpoint),
  })),
]
