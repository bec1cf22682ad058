/** Kafka, Redis and query APIs that die, restart, or are gone for a while. What PostgreSQL can do is in faults-on-postgres.ts. */
import { redisCommand } from '../fleet/redis-command.ts'
import type { DistributedWorld } from './distributed-world.ts'
import type { FaultContext, FaultKind } from './fault-kind.ts'
import type { OwnServer } from './own-server.ts'

type Context = FaultContext<DistributedWorld>
type Pick = (world: DistributedWorld) => OwnServer

/** kill -9, then a start; `share`: of the longest outage that it may be away besides. */
export function killServer(pick: Pick, share: number): (context: Context) => Promise<boolean> {
  return async ({ world, random, tally, say, sleep, outageMsMax, serverOutageMs, onServerBack }) => {
    const server = pick(world)
    const drawnMs = random.between(0, share * outageMsMax)
    const outageMs = share === 0 ? 0 : (serverOutageMs ?? drawnMs)
    try {
      await server.kill()
      tally.add('kills')
      tally.add('outages')
      say(`kill -9 of ${server.kind}, down for ${(outageMs / 1_000).toFixed(1)} s and its start`)
      await sleep(outageMs)
    } finally {
      await server.start()
      tally.add('restarts')
    }
    onServerBack()
    say(`${server.kind} is back`)
    return true
  }
}

/** The only broker, or one of three: then the others go on, under other leaders. */
async function killBroker(context: Context): Promise<boolean> {
  const { world, random, tally, say, sleep, outageMsMax, serverOutageMs, onServerBack } = context
  const { kafka } = world.servers
  if (kafka.brokers === 1) return killServer(({ servers }) => servers.kafka, 0.3)(context)
  const broker = 1 + Math.floor(random.between(0, kafka.brokers))
  const drawnMs = random.between(0, outageMsMax)
  const outageMs = serverOutageMs ?? drawnMs
  try {
    kafka.killBroker(broker)
    tally.add('kills')
    say(`kill -9 of broker ${broker} of ${kafka.brokers}, down for ${(outageMs / 1_000).toFixed(1)} s and its start`)
    await sleep(outageMs)
  } finally {
    await kafka.restartBroker(broker)
    tally.add('restarts')
  }
  onServerBack()
  say(`broker ${broker} is back`)
  return true
}

export function restartServer(pick: Pick): (context: Context) => Promise<boolean> {
  return async ({ world, tally, say }) => {
    const server = pick(world)
    try {
      say(`SIGTERM of ${server.kind}, then a start`)
      await server.stop()
      tally.add('stops')
      tally.add('outages')
    } finally {
      await server.start()
      tally.add('restarts')
    }
    say(`${server.kind} is back`)
    return true
  }
}

async function flushRedis({ world, tally, say }: Context): Promise<boolean> {
  await redisCommand(world.servers.redis.address, 'FLUSHALL')
  tally.add('flushes')
  say('Redis was flushed')
  return true
}

async function killQueryApi({ world, random, tally, say }: Context): Promise<boolean> {
  const one = world.keeper.take(world.queryApis, random)
  if (one === undefined) return false
  try {
    await one.kill()
    tally.add('kills')
    say(`kill -9 of ${one.name}`)
    return true
  } finally {
    await world.keeper.giveBack(one)
  }
}

const kafka: Pick = ({ servers }) => servers.kafka
const redis: Pick = ({ servers }) => servers.redis

export const faultsOnServers: readonly FaultKind<DistributedWorld>[] = [
  {
    name: 'broker-killed',
    lane: 'kafka',
    describes: 'kill -9 of the Kafka broker, or of one of three, started again after a while',
    weight: 1,
    run: killBroker,
  },
  {
    name: 'broker-restarted',
    lane: 'kafka',
    describes: 'SIGTERM of Kafka, all brokers, started again',
    weight: 1,
    run: restartServer(kafka),
  },
  { name: 'redis-flushed', lane: 'redis', describes: 'FLUSHALL', weight: 1, run: flushRedis },
  {
    name: 'redis-restarted',
    lane: 'redis',
    describes: 'kill -9 of Redis, which comes back empty at once',
    weight: 1,
    run: killServer(redis, 0),
  },
  {
    name: 'redis-gone',
    lane: 'redis',
    describes: 'kill -9 of Redis, which comes back empty after a while',
    weight: 1,
    run: killServer(redis, 1),
  },
  {
    name: 'query-api-killed',
    lane: 'query-apis',
    describes: 'kill -9 of a query API, started again',
    weight: 1,
    run: killQueryApi,
  },
]
