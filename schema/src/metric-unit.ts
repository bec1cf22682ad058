/**
 * What a metric's numbers are, told from its id (OpenTelemetry and Prometheus naming). Ids carry no unit on the wire, so an
 * unknown one is a plain number: a guess that is wrong misleads, no unit does not. Imports nothing, for the dashboard's bundle.
 */
export const units = [
  'ratio',
  'percent',
  'bytes',
  'bytesPerSecond',
  'perSecond',
  'seconds',
  'secondsPerSecond',
  'milliseconds',
  'celsius',
  'number',
] as const
export type Unit = (typeof units)[number]

/** First match wins. Counters of system.* are per-second rates already when they arrive (the agent's README). */
const rules: readonly [RegExp, Unit][] = [
  [/(_percent|\.percent|_pct)$/, 'percent'],
  [/[._]utilization$|(^|[._])(ratio|fraction)$|^system\.linux\.psi\.pressure$|^system\.disk\.io_time$/, 'ratio'],
  [/^system\.disk\.operation_time$/, 'secondsPerSecond'],
  [/bytes_(per_second|rate)$|^system\.(disk|network)\.io$|^process\.(disk|network)\.io$/, 'bytesPerSecond'],
  [
    /^(system|process)\..*(operations|merged|packets|packet\.count|errors|dropped|faults|context_switches|interrupts|forks|created)$/,
    'perSecond',
  ],
  [/(per_second|_rate|\.rate)$/, 'perSecond'],
  [/(_ms|milliseconds)$/, 'milliseconds'],
  [/(_seconds|\.seconds|\.duration|uptime)$|^(system|process)\..*(_time|\.time)$/, 'seconds'],
  [/celsius$|^hw\.temperature$/, 'celsius'],
  [
    /bytes|(memory|paging|swap|filesystem)[a-z_.]*\.(usage|limit|available|free|used|size)$|memory\.(virtual|linux\.(available|shared))$/,
    'bytes',
  ],
]
const inodes = /inode/

export function unitOf(metricId: string): Unit {
  const id = metricId.toLowerCase()
  if (inodes.test(id) && !id.includes('utilization')) return 'number'
  return rules.find(([pattern]) => pattern.test(id))?.[1] ?? 'number'
}
