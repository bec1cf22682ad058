/** The embedded process, killed like by a power cut: alone, with its PostgreSQL, or only that. */
import type { EmbeddedWorld } from './embedded-world.ts'
import type { FaultContext, FaultKind } from './fault-kind.ts'

type Context = FaultContext<EmbeddedWorld>

/** In the middle of requests; `and` kills what else there is. */
async function killProcess(context: Context, and: (context: Context) => Promise<void>): Promise<boolean> {
  const { world, random, signal, tally } = context
  const [door] = world.doors
  const one = world.keeper.take([world.process], random)
  if (one === undefined || door === undefined) return false
  try {
    // Some in the middle of a request, some while minutes close or nothing happens.
    if (random.next() < 0.7) await door.gate.awaitTraffic(signal)
    if (signal.aborted) return false
    await context.sleep(random.between(0, 300))
    await one.kill()
    tally.add('kills')
    await and(context)
    return true
  } finally {
    await world.keeper.giveBack(one)
  }
}

async function killPostgres({ world, tally }: Context): Promise<void> {
  const pid = await world.postmasterPid()
  if (pid === undefined) return
  process.kill(pid, 'SIGKILL')
  tally.add('kills')
}

const alone = (context: Context): Promise<boolean> =>
  killProcess(context, async ({ say }) => say('kill -9, its PostgreSQL lives on as an orphan'))

const withPostgres = (context: Context): Promise<boolean> =>
  killProcess(context, async (inner) => {
    await killPostgres(inner)
    inner.say('kill -9 of the process and of its PostgreSQL')
  })

/** The process cannot go on without: it ends, and says so. */
async function onlyPostgres(context: Context): Promise<boolean> {
  const { world, random, say } = context
  const one = world.keeper.take([world.process], random)
  if (one === undefined) return false
  try {
    await killPostgres(context)
    say('kill -9 of its PostgreSQL alone; the process ends by itself')
    const exitCode = await one.ended
    if (exitCode !== 1) throw new Error(`without its PostgreSQL the process ended with ${exitCode} instead of 1`)
    return true
  } finally {
    await world.keeper.giveBack(one)
  }
}

export const faultsOnProcess: readonly FaultKind<EmbeddedWorld>[] = [
  {
    name: 'process-killed',
    lane: 'process',
    describes: 'kill -9 of the process; its PostgreSQL lives on and is found by the next start',
    weight: 3,
    run: alone,
  },
  {
    name: 'process-and-postgres-killed',
    lane: 'process',
    describes: 'kill -9 of the process and of its PostgreSQL',
    weight: 2,
    run: withPostgres,
  },
  {
    name: 'own-postgres-killed',
    lane: 'process',
    describes: 'kill -9 of its PostgreSQL alone: the process ends and is started again',
    weight: 1,
    run: onlyPostgres,
  },
]
