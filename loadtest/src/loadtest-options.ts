/** What `npm run loadtest` is asked to do. */
import { parseArgs } from 'node:util'

export interface LoadtestOptions {
  readonly agents: number
  readonly metrics: number
  readonly minutes: number
  /** Before the measured ones. */
  readonly warmUpMinutes: number
  /** The distributed form is started for the test, with the servers below it. */
  readonly isDistributed: boolean
  /** Base URLs; undefined: what is tested is started for the test. */
  readonly collectors: readonly string[] | undefined
  readonly queries: readonly string[] | undefined
  readonly sampleAgents: number
  /** What the servers are set to, ms. */
  readonly latenessMs: number
  readonly pids: readonly { readonly name: string; readonly pid: number }[]
  readonly report: string | undefined
}

export const loadtestUsage = `npm run loadtest -- [--agents 10000] [--metrics 10] [--minutes 3]
                       [--distributed | --collectors URL[,URL]] [--query URL[,URL]] [--pids name=pid[,name=pid]] [--report FILE]

  --agents, --metrics  size of the fleet, one sample a second each, a batch of 15 s from each agent every 15 s
  --minutes            whole minutes, in real time
  --warm-up-minutes    before them, while the fleet joins (1); 0: all agents start at once
  --distributed        starts Kafka, registry, Redis, PostgreSQL, 2 collectors, 3 aggregators and 2 query APIs for the test
  --collectors         base URLs; agents are dealt out to them. Without either an embedded process is started
  --query              base URLs, asked in turn; the collectors' unless given
  --sample-agents      how many agents are read back, every minute of them (100)
  --lateness-ms        MINUTELY_LATENESS_MS of the servers (10000)
  --pids               processes whose CPU time is reported, with all below them; a name may stand for several
  --report             also write the report there (Markdown)`

/** @throws with what is wrong. */
export function readLoadtestOptions(args: readonly string[]): LoadtestOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      agents: { type: 'string', default: '10000' },
      metrics: { type: 'string', default: '10' },
      minutes: { type: 'string', default: '3' },
      'warm-up-minutes': { type: 'string', default: '1' },
      distributed: { type: 'boolean', default: false },
      collectors: { type: 'string' },
      query: { type: 'string' },
      'sample-agents': { type: 'string', default: '100' },
      'lateness-ms': { type: 'string', default: '10000' },
      pids: { type: 'string' },
      report: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  type NumberName = 'agents' | 'metrics' | 'minutes' | 'warm-up-minutes' | 'sample-agents' | 'lateness-ms'
  const number = (name: NumberName, { min }: { min: number } = { min: 1 }): number => {
    const value = Number(values[name])
    if (/^\d+$/.test(values[name]) && Number.isSafeInteger(value) && value >= min) return value
    throw new Error(`--${name} ${values[name]}: a whole number of at least ${min} is needed`)
  }
  const collectors = urls('collectors', values.collectors)
  const queries = urls('query', values.query)
  if (values.distributed && collectors !== undefined) throw new Error('--distributed starts its own collectors')
  if (queries !== undefined && collectors === undefined) throw new Error('--query needs --collectors')
  return {
    agents: number('agents'),
    metrics: number('metrics'),
    minutes: number('minutes'),
    warmUpMinutes: number('warm-up-minutes', { min: 0 }),
    isDistributed: values.distributed,
    collectors,
    queries,
    sampleAgents: number('sample-agents'),
    latenessMs: number('lateness-ms'),
    pids: pidsOf(values.pids),
    report: values.report,
  }
}

function urls(name: string, list: string | undefined): string[] | undefined {
  return list?.split(',').map((url) => {
    if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
      throw new Error(`--${name} ${url}: a base URL is needed, e.g. http://127.0.0.1:7070`)
    }
    return url.replace(/\/+$/, '')
  })
}

function pidsOf(list: string | undefined): { name: string; pid: number }[] {
  if (list === undefined) return []
  return list.split(',').map((entry) => {
    const [, name, pid] = /^([^=]+)=(\d+)$/.exec(entry) ?? []
    if (name === undefined) throw new Error(`--pids ${entry}: name=pid is needed, e.g. kafka=4711`)
    return { name, pid: Number(pid) }
  })
}
