/** What `npm run bench` is asked to do. */
import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly hosts: number
  readonly metrics: number
  /** Of the fleet's time. */
  readonly minutes: number
  /** How many times as fast as real time the fleet's time goes; 1 for the distributed form, whose brokers have no other clock. */
  readonly speed: number
  readonly rounds: number
  readonly form: 'embedded' | 'distributed'
  readonly withPeers: boolean
  /** A run more, with a CPU profile, which says what the stages cost. */
  readonly withStages: boolean
  /** The profiles are kept in this folder. */
  readonly profile: string | undefined
  /** Real minutes of a run that must be sustained; undefined: what a fixed amount costs is measured. */
  readonly sustainMinutes: number | undefined
}

export const benchUsage = `npm run bench -- [--hosts 200] [--metrics 200] [--minutes 5] [--speed 10] [--rounds 2] [--no-peers] [--no-stages]
npm run bench -- --distributed [--hosts 200] [--metrics 200] [--minutes 2] [--rounds 1]
npm run bench -- --sustain 10 [--rate 1000000] [--hosts 200] [--metrics 200]

  --hosts, --metrics   size of the fleet, one sample a second each, a batch of 15 s from each host every 15 s
  --minutes            of the fleet's time
  --speed              how many times as fast as real time
  --rounds             times each contestant is run, in turns; medians are shown
  --no-peers           without VictoriaMetrics and Prometheus, which are otherwise fed the same samples where they are at hand
                       (victoria-metrics and prometheus on PATH, or VICTORIA_METRICS_BIN, PROMETHEUS_BIN)
  --no-stages          without the last run, which has a CPU profile and says what each stage costs
  --profile            keeps the CPU profiles in this folder
  --distributed        the services as processes of their own over a Kafka, registry, Redis and PostgreSQL that are started for the run
                       (Java, Maven, redis-server), in real time
  --sustain            real minutes during which the embedded process must keep up; exit code 1 when it does not
  --rate               samples a second of --sustain: the clock goes as much faster as the fleet is smaller`

const rateDefault = 1_000_000
const defaults = {
  embedded: { hosts: 200, minutes: 5, speed: 10 },
  distributed: { hosts: 200, minutes: 2, speed: 1 },
}

/** @throws with what is wrong. */
export function readBenchOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      hosts: { type: 'string' },
      metrics: { type: 'string' },
      minutes: { type: 'string' },
      speed: { type: 'string' },
      rounds: { type: 'string' },
      'no-peers': { type: 'boolean', default: false },
      'no-stages': { type: 'boolean', default: false },
      profile: { type: 'string' },
      distributed: { type: 'boolean', default: false },
      sustain: { type: 'string' },
      rate: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const number = (
    name: 'hosts' | 'metrics' | 'minutes' | 'speed' | 'rounds' | 'sustain' | 'rate',
    fallback: number,
  ) => {
    const text = values[name]
    if (text === undefined) return fallback
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value
    throw new Error(`--${name} ${text}: a whole number above 0 is needed`)
  }
  const form = values.distributed ? 'distributed' : 'embedded'
  const isSustained = values.sustain !== undefined
  if (isSustained && form === 'distributed') throw new Error('--sustain is for the embedded process')
  if (form === 'distributed' && values.speed !== undefined) {
    throw new Error('--speed with --distributed: Kafka stamps records with real time; use more --hosts instead')
  }
  if (values.rate !== undefined && !isSustained) throw new Error('--rate belongs to --sustain; use --speed')
  for (const name of ['minutes', 'speed', 'rounds'] as const) {
    if (isSustained && values[name] !== undefined) throw new Error(`--${name} has no effect with --sustain; use --rate`)
  }
  const hosts = number('hosts', defaults[form].hosts)
  const metrics = number('metrics', 200)
  const sustainMinutes = isSustained ? number('sustain', 10) : undefined
  return {
    hosts,
    metrics,
    minutes: number('minutes', defaults[form].minutes),
    speed: isSustained ? number('rate', rateDefault) / (hosts * metrics) : number('speed', defaults[form].speed),
    rounds: number('rounds', form === 'embedded' ? 2 : 1),
    form,
    withPeers: !values['no-peers'] && !isSustained,
    withStages: !values['no-stages'] && !isSustained,
    profile: values.profile,
    sustainMinutes,
  }
}
