/** Aggregators that come, go, die at the worst step of a flush, or stand still while others take over what they had. */
import { readFile } from 'node:fs/promises'
import type { ServiceProcess } from '../fleet/service-process.ts'
import type { DistributedWorld } from './distributed-world.ts'
import { type Failpoint, failpoints } from './failpoint-names.ts'
import type { FaultContext, FaultKind } from './fault-kind.ts'
import { batch, hourMs, nameOf } from './faults-on-hosts.ts'

/** A flush comes with each minute that closes, and soon after late samples. */
const flushDeadlineMs = 90_000
const provokeEveryMs = 4_000
const pollMs = 50

type Context = FaultContext<DistributedWorld>

/** Runs with one that is then given back; does nothing when none is free. */
async function withOne(context: Context, work: (one: ServiceProcess) => Promise<boolean>): Promise<boolean> {
  const { world, random } = context
  const one = world.keeper.take(world.aggregators, random)
  if (one === undefined) return false
  try {
    return await work(one)
  } finally {
    one.tell({})
    await world.keeper.giveBack(one)
  }
}

const killOne = (context: Context): Promise<boolean> =>
  withOne(context, async (one) => {
    await one.kill()
    context.tally.add('kills')
    context.say(`kill -9 of ${one.name}`)
    await context.sleep(context.random.between(0, context.outageMsMax))
    return true
  })

const stopOne = (context: Context): Promise<boolean> =>
  withOne(context, async (one) => {
    context.say(`SIGTERM of ${one.name}`)
    await one.stop()
    context.tally.add('stops')
    await context.sleep(context.random.between(0, context.outageMsMax / 2))
    return true
  })

/** Long enough for the group to replace it: it goes on with what others own by then. */
const pauseOne = (context: Context): Promise<boolean> =>
  withOne(context, async (one) => {
    one.pause()
    return stayPaused(one, context)
  })

export async function stayPaused(one: ServiceProcess, context: Context): Promise<boolean> {
  context.tally.add('pauses')
  const pauseMs = context.world.pauseMs
  context.say(`${one.name} stands still for ${pauseMs / 1_000} s`)
  await context.sleep(pauseMs)
  one.resume()
  context.say(`${one.name} goes on`)
  // With what it was about to do, before anything else happens to it.
  await context.sleep(5_000)
  return true
}

function dieAt(failpoint: Failpoint): (context: Context) => Promise<boolean> {
  return (context) =>
    withOne(context, async (one) => {
      one.tell({ failpoint, signal: 'SIGKILL' })
      if (!(await until(context, async () => one.state === 'ended'))) return false
      context.tally.add('kills')
      context.say(`${one.name} died ${failpoint}`)
      await context.sleep(context.random.between(0, context.outageMsMax / 4))
      return true
    })
}

/** With a transaction open, or a push or a commit about to be made. */
async function pauseInFlush(context: Context): Promise<boolean> {
  const failpoint = context.random.pick(failpoints) ?? 'before-commit'
  return withOne(context, async (one) => {
    one.tell({ failpoint, signal: 'SIGSTOP' })
    if (!(await until(context, () => isStopped(one.pid)))) return false
    one.pause()
    context.say(`${one.name} stopped ${failpoint}`)
    return stayPaused(one, context)
  })
}

/**
 * Waits for what a flush does, and has a host send samples of an hour ago meanwhile, which are merged as soon as they are read.
 * False when the faults are to end, or it took too long.
 */
async function until(context: Context, check: () => Promise<boolean>): Promise<boolean> {
  const { signal, sleep, strangers } = context
  const giveUpAtMs = Date.now() + flushDeadlineMs
  let isSending = false
  let provokedMs = 0
  while (!signal.aborted && Date.now() < giveUpAtMs) {
    if (await check()) return true
    if (!isSending && Date.now() - provokedMs > provokeEveryMs) {
      provokedMs = Date.now()
      isSending = true
      void strangers.send(nameOf(context, 'late'), batch(context, -hourMs)).finally(() => {
        isSending = false
      })
    }
    await sleep(pollMs)
  }
  return false
}

/** Is it stopped by a signal? Linux only, as everything that reads /proc. */
export async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return /^\d+ \(.*\) [Tt] /.test(stat)
}

export const faultsOnAggregators: readonly FaultKind<DistributedWorld>[] = [
  {
    name: 'aggregator-killed',
    lane: 'aggregators',
    describes: 'kill -9 of an aggregator, replaced by the others, started again',
    weight: 1,
    run: killOne,
  },
  {
    name: 'aggregator-restarted',
    lane: 'aggregators',
    describes: 'SIGTERM of an aggregator, started again after a while',
    weight: 1,
    run: stopOne,
  },
  {
    name: 'aggregator-paused',
    lane: 'aggregators',
    describes: 'SIGSTOP of an aggregator for longer than the group waits for it, then SIGCONT',
    weight: 1,
    run: pauseOne,
  },
  {
    name: 'aggregator-paused-in-flush',
    lane: 'aggregators',
    describes: 'the same at a step of a flush: its transaction, push or commit comes after others took over',
    weight: 1,
    run: pauseInFlush,
  },
  ...failpoints.map((failpoint) => ({
    name: `aggregator-dies-${failpoint}`,
    lane: 'flushes' as const,
    describes: `kill -9 of an aggregator at the step of a flush that its name says`,
    weight: 1,
    run: dieAt(failpoint),
  })),
]
