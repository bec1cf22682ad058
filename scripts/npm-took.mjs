/**
 * Finds options that npm kept for itself: without an extra `--`, `npm run chaos --embedded` hands the program nothing and tells it only
 * by a variable npm_config_embedded. What runs would not be what was asked for, so it does not run.
 *
 * The options of each command stand here because this is read on Node 20, which cannot load the parsers; npm-took.test.ts compares.
 * True is one that takes a value.
 */
export const optionsOf = {
  bench: {
    ...{ hosts: true, metrics: true, minutes: true, speed: true, rounds: true, 'no-peers': false, 'no-stages': false },
    ...{ profile: true, distributed: false, sustain: true, rate: true },
  },
  'bench:page': { hosts: true, runs: true },
  'bench:queries': {
    ...{
      servers: true,
      metrics: true,
      hours: true,
      n: true,
      data: true,
      skip: true,
      only: true,
      report: true,
      profile: true,
    },
  },
  chaos: {
    ...{ minutes: true, seed: true, embedded: false, only: true, list: false, hosts: true, metrics: true },
    ...{ collectors: true, aggregators: true, 'query-apis': true, brokers: true, outage: true, pause: true },
    ...{ report: true, logs: true },
  },
  distributed: {
    ...{ hosts: true, metrics: true, collectors: true, aggregators: true, 'query-apis': true, 'history-hours': true },
    ...{ minutes: true, check: false, report: true, logs: true, 'kill-one': false, 'pause-one': true },
    ...{ 'stop-registry': false, 'flush-redis': false },
  },
  'fuzz:api': { requests: true, seed: true },
  hostile: { seconds: true },
  import: {
    ...{ format: true, 'server-label': true, 'server-id': true, 'metric-id': true, 'metric-column': true },
    ...{ 'time-column': true, 'value-column': true, delimiter: true, 'time-unit': true, tenant: true, again: false },
  },
  'import:bench': { points: true, series: true, 'step-ms': true, format: true, kills: true },
  loadtest: {
    ...{ agents: true, metrics: true, minutes: true, 'warm-up-minutes': true, distributed: false, collectors: true },
    ...{ query: true, 'sample-agents': true, 'lateness-ms': true, pids: true, report: true },
  },
  return: { agents: true, 'backlog-minutes': true, metrics: true, seed: true },
  servers: {
    ...{ only: true, 'data-dir': true, fresh: false, temporary: false, 'free-ports': false, 'kafka-port': true },
    ...{ 'registry-port': true, 'redis-port': true, 'postgres-port': true, 'kafka-brokers': true },
    ...{ 'kafka-setting': true, 'kafka-heap-mb': true, 'redis-memory-mb': true, json: false },
  },
  simulate: { seeds: true, from: true, seed: true, variant: true, workers: true },
}

/**
 * @param {keyof typeof optionsOf} command
 * @param {{ args: readonly string[], environment: Readonly<Record<string, string | undefined>> }} given
 * @returns {string | undefined} what to say; undefined when npm took nothing.
 */
export function npmTook(command, { args, environment }) {
  // Commands that others start inherit their variables.
  if (environment.npm_lifecycle_event !== command) return undefined
  const values = args.filter((arg) => !arg.startsWith('-'))
  const taken = Object.entries(optionsOf[command]).flatMap(([name, hasValue]) => {
    const value = environment[`npm_config_${name.replaceAll('-', '_')}`]
    if (value === undefined || args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`))) return []
    return [{ name, hasValue, value }]
  })
  if (taken.length === 0) return undefined
  const lacking = taken.filter(({ hasValue, value }) => hasValue && value === 'true')
  const written = taken.flatMap(({ name, hasValue, value }) => {
    if (!hasValue) return [`--${name}`]
    if (value !== 'true') return [`--${name}`, value]
    // npm takes the name of `--seed 7` and leaves the 7; of two such nobody knows whose it is.
    return [`--${name}`, lacking.length === 1 && values.length === 1 ? values[0] : `<${name}>`]
  })
  const rest = lacking.length > 0 ? args.filter((arg) => !values.includes(arg)) : args
  const names = taken.map(({ name }) => `--${name}`).join(', ')
  return `npm took ${names} for itself: npm run ${command} -- ${[...written, ...rest].join(' ')}`
}

/** Ends the process with 2 when it did. @param {keyof typeof optionsOf} command */
export function refuseWhatNpmTook(command) {
  const message = npmTook(command, { args: process.argv.slice(2), environment: process.env })
  if (message === undefined) return
  console.error(message)
  process.exit(2)
}
