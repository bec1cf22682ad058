/**
 * Kafka: one broker or three, each also a controller (KRaft), on loopback. Its data stays between runs, apart for each
 * number of brokers.
 *
 * Small segments and indexes, few partitions of its own topics and no rebalance delay suit a machine of one developer;
 * what Minutely relies on is that topics are made by nobody but Minutely, and that a record of 1 MiB fits.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureArtefacts } from './maven.mjs'
import { host } from './ports.mjs'
import { hastyStopMs, spawnServer } from './server-process.mjs'
import { javaBinary } from './tools.mjs'

const run = promisify(execFile)

const logging = `status = error
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.life.name = kafka.server.KafkaRaftServer
logger.life.level = info
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
`

/**
 * `ports`: those of the brokers, then as many for the controllers. Of three one may end: the others go on, and `restart(number)` starts
 * it again, on its port and with its data. `surprise` is the end of all.
 */
export async function startKafka(options) {
  const { folder, ports, heapMb, isTemporary, kafkaSettings, watchdog, logFile, onProgress } = options
  const grace = isTemporary ? { graceMs: hastyStopMs } : {}
  const jars = await ensureArtefacts('kafka', onProgress)
  const count = ports.length / 2
  const cluster = join(folder, `brokers-${count}`)
  await mkdir(cluster, { recursive: true })
  const loggingFile = join(cluster, 'log4j2.properties')
  await writeFile(loggingFile, logging)
  const java = [`-Xmx${heapMb}m`, '-XX:+UseSerialGC', `-Dlog4j2.configurationFile=${loggingFile}`, '-cp', `${jars}/*`]

  // Three that are thrown away soon are for tests that start and kill them: most of that is compiling.
  if (isTemporary && count > 1) java.unshift('-XX:TieredStopAtLevel=1')

  const settings = ports.slice(0, count).map((_, index) => ({ index, ports, folder: join(cluster, String(index + 1)) }))
  const isFormatted = settings.every((broker) => existsSync(join(broker.folder, 'formatted')))
  // The members of a cluster share its id, so either all are formatted or none is.
  if (!isFormatted) for (const broker of settings) await rm(broker.folder, { recursive: true, force: true })
  const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A')
  for (const broker of settings) {
    const file = join(broker.folder, 'server.properties')
    await mkdir(broker.folder, { recursive: true })
    await writeFile(file, [properties(broker), ...kafkaSettings].join('\n'))
    if (!isFormatted) await format({ java, file, clusterId })
  }
  if (!isFormatted) for (const broker of settings) await writeFile(join(broker.folder, 'formatted'), '')
  let endWith
  const surprise = new Promise((resolve) => {
    endWith = resolve
  })
  const down = new Set()
  const spawnBroker = (broker) => {
    const name = count === 1 ? 'Kafka' : `Kafka broker ${broker.index + 1}`
    const args = [...java, 'kafka.Kafka', join(broker.folder, 'server.properties')]
    const log = logFile(broker.index + 1)
    const one = spawnServer({ name, file: javaBinary(), args, logFile: log, watchdog, ...grace })
    down.delete(broker.index)
    one.surprise.then((words) => {
      down.add(broker.index)
      if (down.size === count) endWith(words)
      else onProgress(`broker ${broker.index + 1} ended, ${count - down.size} of ${count} go on`)
    })
    return one
  }
  const readyOf = (one) => one.until(() => one.logText().includes('Kafka Server started'))
  const processes = settings.map(spawnBroker)
  return {
    processes,
    surprise,
    /** One that has ended, counted from 1. @returns its new pid when it is ready. */
    restart: async (number) => {
      const broker = settings[number - 1]
      if (broker === undefined || !down.has(broker.index)) throw new Error(`Kafka broker ${number} is not down`)
      const one = spawnBroker(broker)
      processes[broker.index] = one
      await readyOf(one)
      return one.pid
    },
    address: ports
      .slice(0, count)
      .map((port) => `${host}:${port}`)
      .join(','),
    ready: () => Promise.all(processes.map(readyOf)),
  }
}

async function format({ java, file, clusterId }) {
  try {
    // Too short for the optimising compiler to pay.
    await run(javaBinary(), [
      '-XX:TieredStopAtLevel=1',
      ...java,
      'kafka.tools.StorageTool',
      'format',
      '-t',
      clusterId,
      '-c',
      file,
    ])
  } catch (cause) {
    const words = `${cause.stdout ?? ''}${cause.stderr ?? ''}`.trim() || cause.message
    throw new Error(`Kafka could not format its storage (${file}). It said:\n${words}`, { cause })
  }
}

function properties({ index, ports, folder }) {
  const count = ports.length / 2
  const voters = ports.slice(count).map((port, voter) => `${voter + 1}@${host}:${port}`)
  const inSyncMin = count > 2 ? 2 : 1
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': index + 1,
    'controller.quorum.voters': voters.join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `PLAINTEXT://${host}:${ports[index]},CONTROLLER://${host}:${ports[count + index]}`,
    'advertised.listeners': `PLAINTEXT://${host}:${ports[index]}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    // A backslash would begin an escape.
    'log.dirs': join(folder, 'data').replaceAll('\\', '/'),
    'auto.create.topics.enable': false,
    'default.replication.factor': count,
    'min.insync.replicas': inSyncMin,
    'message.max.bytes': 2 * 1024 * 1024,
    'replica.fetch.max.bytes': 2 * 1024 * 1024,
    'log.segment.bytes': 16 * 1024 * 1024,
    'log.index.size.max.bytes': 64 * 1024,
    'log.cleaner.dedupe.buffer.size': 4 * 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'group.initial.rebalance.delay.ms': 0,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': count,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': count,
    'transaction.state.log.min.isr': inSyncMin,
    'share.coordinator.state.topic.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': count,
    'share.coordinator.state.topic.min.isr': inSyncMin,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
