/**
 * `npm run servers`: a real Kafka, schema registry, Redis and PostgreSQL on loopback, for tests and for the distributed
 * form on one machine. Nothing is installed outside this clone; needs Java 17, Maven and redis-server.
 *
 * They run until SIGINT, SIGTERM, SIGHUP or the end of whoever started us, and then stop within 10 s, all at once. If one
 * ends by itself, so do the others; but of three Kafka brokers two may, and a parent with an IPC channel has one started again with
 * `{ restartBroker: 2 }`, answered by `{ broker: 2, pid }` or `{ broker: 2, failure }`. Were this process killed, its watchdog ends them.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { giveUp, secondsSince } from './run-tool.mjs'
import { takeDataFolder } from './servers/data-folder.mjs'
import { startKafka } from './servers/kafka.mjs'
import { readOptions } from './servers/options.mjs'
import { findFreePort, host, isPortFree } from './servers/ports.mjs'
import { startPostgres } from './servers/postgres.mjs'
import { startRedis } from './servers/redis.mjs'
import { startRegistry } from './servers/registry.mjs'
import { howToInstall, missingTools } from './servers/tools.mjs'

const parentPollMs = 500
const kinds = {
  kafka: {
    title: 'Kafka',
    start: startKafka,
    setting: 'KAFKA_BROKERS',
    test: 'KAFKA_BOOTSTRAP',
    key: 'kafkaBootstrap',
  },
  registry: {
    title: 'Schema registry',
    start: startRegistry,
    setting: 'SCHEMA_REGISTRY_URL',
    test: 'SCHEMA_REGISTRY_URL',
    key: 'schemaRegistryUrl',
  },
  redis: { title: 'Redis', start: startRedis, setting: 'REDIS_URL', test: 'REDIS_URL', key: 'redisUrl' },
  // Tests bring their own.
  postgres: { title: 'PostgreSQL', start: startPostgres, setting: 'POSTGRES_URL', key: 'postgresUrl' },
}

refuseWhatNpmTook('servers')
const options = parseOptions()
const stopRequested = watchForStop()
const watchdog = startWatchdog()
const running = new Map()
let data
let failure

try {
  await requireTools()
  data = await takeDataFolder({ ...options, watchdog, onProgress: say })
  const ports = await choosePorts()
  await Promise.race([stopRequested, startAll(ports).then(announce)])
  process.on('message', restartBroker)
  failure = await Promise.race([stopRequested, ...[...running.values()].map(surpriseOf)])
} catch (error) {
  failure = error.message
}
const stopMs = performance.now()
// Twice: while the first ones end, a start that was under way may still add one.
for (let pass = 0; pass < 2; pass++) await Promise.all(processes().map((one) => one.stop()))
data?.release()
watchdog.close()
if (failure !== undefined) giveUp(failure)
say(`Stopped in ${secondsSince(stopMs)}`)
process.exit(0)

function parseOptions() {
  try {
    const found = readOptions(process.argv.slice(2))
    // Scripts that we share with `npm start` write to it.
    if (found.isJson) console.log = console.error
    if (found.help === undefined) return found
    console.log(found.help)
    process.exit(0)
  } catch (error) {
    return giveUp(error.message)
  }
}

/** Resolves with nothing when we are asked to stop. More requests change nothing. */
function watchForStop() {
  const parentPid = process.ppid
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve())
    process.on('disconnect', () => resolve())
    // Only under npm, which may be killed without a chance to tell us: see start.mjs.
    if (process.env.npm_lifecycle_event === undefined) return
    setInterval(() => process.ppid !== parentPid && resolve(), parentPollMs).unref()
  })
}

function startWatchdog() {
  const file = fileURLToPath(new URL('servers/watchdog.mjs', import.meta.url))
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  child.on('error', (error) => giveUp(`cannot run ${process.execPath}: ${error.message}`))
  child.stdin.on('error', () => {})
  child.unref()
  return {
    pid: child.pid,
    watch: (pid) => child.stdin.write(`+${pid}\n`),
    forget: (pid) => child.stdin.write(`-${pid}\n`),
    removeAtEnd: (folder) => child.stdin.write(`remove ${folder}\n`),
    close: () => child.stdin.end(),
  }
}

async function requireTools() {
  const missing = (await Promise.all(options.wanted.map(missingTools))).flat()
  if (missing.length === 0) return
  const names = [...new Set(missing)]
  throw new Error(`missing: ${names.join(', ')}.\n${howToInstall(names)}`)
}

/** The ports of each server; Kafka's brokers have two each. */
async function choosePorts() {
  const chosen = {}
  for (const name of options.wanted) {
    const count = name === 'kafka' ? 2 * options.brokers : 1
    chosen[name] = []
    for (let index = 0; index < count; index++) {
      const port = options.hasFreePorts ? await findFreePort() : options.ports[name] + index
      if (!options.hasFreePorts && !(await isPortFree(port))) throw new Error(takenMessage(name, port))
      chosen[name].push(port)
    }
  }
  return chosen
}

function takenMessage(name, port) {
  const others = options.wanted.filter((other) => other !== name)
  return (
    `port ${port} of ${host}, for ${kinds[name].title}, is taken by another program. Stop that, or choose another with ` +
    `--${name}-port or --free-ports. If it is a ${kinds[name].title} that you want to use (Debian starts the Redis it ` +
    `installs), leave ours out with --only ${others.join(',')}`
  )
}

async function startAll(ports) {
  say(`Starting ${options.wanted.map((name) => kinds[name].title).join(', ')} in ${data.folder}`)
  await Promise.all(options.wanted.map((name) => startOne(name, ports[name])))
}

async function startOne(name, ports) {
  const startMs = performance.now()
  const server = await kinds[name].start({
    ...options,
    folder: join(data.folder, name),
    ports,
    watchdog,
    logFile: (number) => join(data.folder, 'logs', `${name}${number === undefined ? '' : `-${number}`}.log`),
    onProgress: (message) => say(`${kinds[name].title}: ${message}`),
  })
  running.set(name, server)
  await server.ready()
  say(`${kinds[name].title} is ready (${secondsSince(startMs)})`)
}

function processes() {
  return [...running.values()].flatMap((server) => server.processes)
}

function surpriseOf(server) {
  return server.surprise ?? Promise.race(server.processes.map(({ surprise }) => surprise))
}

async function restartBroker({ restartBroker: broker }) {
  try {
    process.send({ broker, pid: await running.get('kafka').restart(broker) })
  } catch (error) {
    process.send({ broker, failure: error.message })
  }
}

function announce() {
  const found = options.wanted.map((name) => ({ name, ...kinds[name], server: running.get(name) }))
  if (options.isJson) {
    const addresses = Object.fromEntries(found.map(({ key, server }) => [key, server.address]))
    const pids = Object.fromEntries(found.map(({ name, server }) => [name, pidsOf(server)]))
    process.stdout.write(`${JSON.stringify({ ...addresses, pids })}\n`)
    return
  }
  const kept = options.isTemporary ? 'removed at the end' : 'kept, but for what is in Redis; --fresh removes it'
  console.log(`
  The servers are running, for this machine only

${found.map(({ setting, server }) => `    export MINUTELY_${setting}=${server.address}`).join('\n')}
${found.flatMap(({ test, server }) => (test === undefined ? [] : `    export ${test}=${server.address}`)).join('\n')}

    use     paste these lines into another terminal: the first for Minutely's services, the others for npm test and
            npm run distributed
    data    ${data.folder} (${kept})
    logs    ${join(data.folder, 'logs')}
    stop    Ctrl-C
`)
}

/** PostgreSQL's is not that of the process we spawned. */
function pidsOf(server) {
  return server.pids ?? server.processes.map(({ pid }) => pid)
}

function say(message) {
  console.log(message)
}
