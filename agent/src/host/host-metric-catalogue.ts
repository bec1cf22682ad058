/**
 * Every metric the agent reads from a host: its unit, how it is rounded, its labels, where Linux keeps it. The README's
 * table is printed from here, and the contract suite (host-reader-contract.ts) refuses a reader that emits anything else.
 *
 * Names and attributes are OpenTelemetry's system conventions
 * (https://opentelemetry.io/docs/specs/semconv/system/system-metrics/); what those lack is under `system.linux.*`, their
 * prefix for what one operating system has. One difference throughout: where OpenTelemetry counts since boot, we send the
 * rate per second (`rate: true`), because a minute's min, max and avg say something about a rate and nothing about a
 * counter.
 *
 * `digits` bounds the fractional decimal digits: sums of decimals with at most 6 of them are exact whatever the order,
 * and short decimals compress well.
 */
export interface HostMetric {
  readonly unit: string
  readonly digits: 0 | 2 | 4
  /** Counted since boot by the system, sent as a rate per second. */
  readonly rate?: true
  readonly labels?: readonly string[]
  /** The file and field on Linux. */
  readonly source: string
  /** For the README: what the name alone does not say. */
  readonly note?: string
}

const device = 'system.device'
const diskLabels = [device, 'disk.io.direction']
const filesystemLabels = [device, 'system.filesystem.mountpoint', 'system.filesystem.type', 'system.filesystem.state']
const interfaceLabels = ['network.interface.name', 'network.io.direction']

const catalogue = {
  'system.cpu.utilization': {
    unit: '1',
    digits: 4,
    labels: ['cpu.mode'],
    source: '/proc/stat `cpu`',
    note: 'Share of all cores since the last reading, 0..1; the modes add up to 1',
  },
  'system.cpu.logical.utilization': {
    unit: '1',
    digits: 4,
    labels: ['cpu.logical_number', 'cpu.mode'],
    source: '/proc/stat `cpuN`',
    note: 'The same per core, of its own name so that a sum over all series stays a share of the host; only with `MINUTELY_AGENT_CPU_PER_CORE=on`, at most 128 cores',
  },
  'system.cpu.logical.count': { unit: '{cpu}', digits: 0, source: '/proc/stat', note: 'Cores that are online' },
  'system.cpu.load_average.1m': { unit: '{task}', digits: 2, source: '/proc/loadavg' },
  'system.cpu.load_average.5m': { unit: '{task}', digits: 2, source: '/proc/loadavg' },
  'system.cpu.load_average.15m': { unit: '{task}', digits: 2, source: '/proc/loadavg' },
  'system.memory.usage': {
    unit: 'By',
    digits: 0,
    labels: ['system.memory.state'],
    source: '/proc/meminfo',
    note: '`used` is MemTotal - MemAvailable, as the convention has it, so the states overlap and do not add up',
  },
  'system.memory.utilization': {
    unit: '1',
    digits: 4,
    labels: ['system.memory.state'],
    source: '/proc/meminfo',
    note: 'Only `used`: used / limit',
  },
  'system.memory.limit': { unit: 'By', digits: 0, source: '/proc/meminfo MemTotal' },
  'system.memory.linux.available': { unit: 'By', digits: 0, source: '/proc/meminfo MemAvailable' },
  'system.memory.linux.shared': { unit: 'By', digits: 0, source: '/proc/meminfo Shmem', note: 'Mostly tmpfs' },
  'system.memory.linux.slab.usage': {
    unit: 'By',
    digits: 0,
    labels: ['system.memory.linux.slab.state'],
    source: '/proc/meminfo SReclaimable, SUnreclaim',
  },
  'system.paging.usage': {
    unit: 'By',
    digits: 0,
    labels: ['system.paging.state'],
    source: '/proc/meminfo SwapTotal, SwapFree',
    note: 'Absent without swap',
  },
  'system.paging.utilization': {
    unit: '1',
    digits: 4,
    labels: ['system.paging.state'],
    source: '/proc/meminfo',
    note: 'Only `used`; absent without swap',
  },
  'system.paging.faults': {
    unit: '{fault}/s',
    digits: 2,
    rate: true,
    labels: ['system.paging.fault.type'],
    source: '/proc/vmstat pgfault, pgmajfault',
    note: '`minor` is pgfault - pgmajfault',
  },
  'system.paging.operations': {
    unit: '{operation}/s',
    digits: 2,
    rate: true,
    labels: ['system.paging.direction'],
    source: '/proc/vmstat pswpin, pswpout',
    note: 'Pages swapped',
  },
  'system.disk.io': {
    unit: 'By/s',
    digits: 0,
    rate: true,
    labels: diskLabels,
    source: '/proc/diskstats fields 6, 10',
    note: 'Sectors of 512 bytes',
  },
  'system.disk.operations': {
    unit: '{operation}/s',
    digits: 2,
    rate: true,
    labels: diskLabels,
    source: '/proc/diskstats fields 4, 8',
  },
  'system.disk.operation_time': {
    unit: 's/s',
    digits: 4,
    rate: true,
    labels: diskLabels,
    source: '/proc/diskstats fields 7, 11',
    note: 'Sum over parallel operations: may exceed 1; divide by operations for latency',
  },
  'system.disk.io_time': {
    unit: '1',
    digits: 4,
    rate: true,
    labels: [device],
    source: '/proc/diskstats field 13',
    note: 'Share of the time the device was busy, 0..1',
  },
  'system.filesystem.usage': {
    unit: 'By',
    digits: 0,
    labels: filesystemLabels,
    source: '/proc/self/mountinfo, statfs',
    note: '`used`, `free`, `reserved` (for root) add up to the size; looked at every 15 s',
  },
  'system.filesystem.utilization': {
    unit: '1',
    digits: 4,
    labels: filesystemLabels,
    source: '/proc/self/mountinfo, statfs',
    note: 'Only `used`: used / (used + free), as df has it',
  },
  'system.network.io': { unit: 'By/s', digits: 0, rate: true, labels: interfaceLabels, source: '/proc/net/dev bytes' },
  'system.network.packet.count': {
    unit: '{packet}/s',
    digits: 2,
    rate: true,
    labels: interfaceLabels,
    source: '/proc/net/dev packets',
  },
  'system.network.packet.dropped': {
    unit: '{packet}/s',
    digits: 2,
    rate: true,
    labels: interfaceLabels,
    source: '/proc/net/dev drop',
  },
  'system.network.errors': {
    unit: '{error}/s',
    digits: 2,
    rate: true,
    labels: interfaceLabels,
    source: '/proc/net/dev errs',
  },
  'system.network.connection.count': {
    unit: '{connection}',
    digits: 0,
    labels: ['network.transport', 'network.connection.state'],
    source: '/proc/net/snmp CurrEstab, /proc/net/sockstat tw',
    note: 'Only TCP `established` (the kernel counts close_wait with it) and `time_wait`: the others need a walk over every connection',
  },
  'system.process.count': {
    unit: '{task}',
    digits: 0,
    labels: ['process.state'],
    source: '/proc/stat procs_running, procs_blocked; /proc/loadavg',
    note: 'Threads, as the kernel counts them: `running`, `blocked` (in I/O), `sleeping` (the rest). `running` includes the agent',
  },
  'system.process.created': {
    unit: '{process}/s',
    digits: 2,
    rate: true,
    source: '/proc/stat processes',
    note: 'Forks and new threads',
  },
  'system.linux.context_switches': { unit: '{switch}/s', digits: 2, rate: true, source: '/proc/stat ctxt' },
  'system.linux.interrupts': { unit: '{interrupt}/s', digits: 2, rate: true, source: '/proc/stat intr' },
  'system.linux.psi.pressure': {
    unit: '1',
    digits: 4,
    rate: true,
    labels: ['system.linux.psi.resource', 'system.linux.psi.stall_type'],
    source: '/proc/pressure/{cpu,memory,io} total',
    note: 'Share of the time `some` or all (`full`) tasks waited for the resource, 0..1; cpu has no `full` at the level of a host',
  },
  'system.linux.file_descriptor.count': {
    unit: '{file}',
    digits: 0,
    source: '/proc/sys/fs/file-nr',
    note: 'Open files of the whole host',
  },
  'system.linux.file_descriptor.limit': {
    unit: '{file}',
    digits: 0,
    source: '/proc/sys/fs/file-nr',
    note: 'Absent where the kernel sets none (2^63 - 1)',
  },
  'system.uptime': { unit: 's', digits: 2, source: '/proc/uptime' },
} satisfies Record<string, HostMetric>

export type HostMetricId = keyof typeof catalogue
export const hostMetrics: Readonly<Record<HostMetricId, HostMetric>> = catalogue

/** The Markdown table of agent/README.md. */
export function hostMetricsTable(): string {
  const rows = Object.entries<HostMetric>(hostMetrics).map(([metricId, { unit, rate, labels = [], source, note }]) => {
    const named = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${metricId}\` | \`${unit}\` | ${rate ? 'yes' : ''} | ${named} | ${source} | ${note ?? ''} |`
  })
  return ['| metric | unit | rate | labels | on Linux from | notes |', '|---|---|---|---|---|---|', ...rows].join('\n')
}
