/** The command line of `npm run servers`, checked: what to start, on which ports, with how much memory. */
import { parseArgs } from 'node:util'

export const servers = ['kafka', 'registry', 'redis', 'postgres']

const usage = `npm run servers -- [options]

  --only kafka,redis      start only these of ${servers.join(', ')}
  --data-dir <folder>     where the data is kept between runs (./data/servers)
  --fresh                 remove the data of earlier runs first
  --temporary             keep the data in a temporary folder, removed at the end
  --free-ports            take free ports instead of 9092, 8081, 6379, 5432
  --kafka-port, --registry-port, --redis-port, --postgres-port <port>
  --kafka-brokers 1|3     three take three ports from --kafka-port on; the controllers take as many after them
  --kafka-setting <a=b>   a line of the brokers' server.properties; may be given several times
  --kafka-heap-mb <n>     memory of each broker's heap (1024, or 256 each for three)
  --redis-memory-mb <n>   where Redis begins to evict (1024)
  --json                  print one line of JSON when all are ready, everything else to stderr`

const settings = {
  help: { type: 'boolean', short: 'h', default: false },
  only: { type: 'string', default: servers.join(',') },
  'data-dir': { type: 'string', default: './data/servers' },
  fresh: { type: 'boolean', default: false },
  temporary: { type: 'boolean', default: false },
  'free-ports': { type: 'boolean', default: false },
  'kafka-port': { type: 'string', default: '9092' },
  'registry-port': { type: 'string', default: '8081' },
  'redis-port': { type: 'string', default: '6379' },
  'postgres-port': { type: 'string', default: '5432' },
  'kafka-brokers': { type: 'string', default: '1' },
  'kafka-setting': { type: 'string', multiple: true, default: [] },
  'kafka-heap-mb': { type: 'string' },
  'redis-memory-mb': { type: 'string', default: '1024' },
  json: { type: 'boolean', default: false },
}

/** @throws Error with the usage in it. `{ help: text }` if that is what was asked for. */
export function readOptions(args) {
  try {
    const { values } = parseArgs({ args, options: settings })
    return values.help ? { help: usage } : check(values)
  } catch (cause) {
    throw new Error(`${usage}\n\n${cause.message}`, { cause })
  }
}

function check(values) {
  const only = values.only.split(',').map((name) => name.trim())
  const unknown = only.find((name) => !servers.includes(name))
  if (unknown !== undefined) throw new Error(`--only knows no '${unknown}'; there are ${servers.join(', ')}`)
  const brokers = wholeNumber(values, 'kafka-brokers', { min: 1, max: 3 })
  if (brokers === 2) throw new Error('--kafka-brokers 2: two survive no failure, take 1 or 3')
  const port = (name) => wholeNumber(values, `${name}-port`, { min: 1, max: 65_535 })
  const wrong = values['kafka-setting'].find((line) => !/^[\w.]+=/.test(line))
  if (wrong !== undefined) throw new Error(`--kafka-setting ${wrong}: it is written name=value`)
  return {
    wanted: servers.filter((name) => only.includes(name)),
    dataDir: values['data-dir'],
    isFresh: values.fresh,
    isTemporary: values.temporary,
    isJson: values.json,
    brokers,
    kafkaSettings: values['kafka-setting'],
    heapMb: wholeNumber({ 'kafka-heap-mb': brokers === 1 ? '1024' : '256', ...values }, 'kafka-heap-mb', {
      min: 128,
      max: 65_536,
    }),
    memoryMb: wholeNumber(values, 'redis-memory-mb', { min: 1, max: 1_048_576 }),
    hasFreePorts: values['free-ports'],
    ports: Object.fromEntries(servers.map((name) => [name, port(name)])),
  }
}

function wholeNumber(values, name, { min, max }) {
  const text = values[name]
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= min && number <= max) return number
  throw new Error(`--${name} must be a whole number from ${min} to ${max}, not '${text}'`)
}
