/** Settings of `npm run import`. Durations in ms, sizes in bytes. */
import { type ConfigOf, integer, type Settings, text } from '@minutely/lib/config'
import type { PostgresConnection } from '@minutely/lib/postgres/pool'
import { postgresSettings } from '@minutely/lib/postgres/postgres-settings'
import { z } from 'zod'

const absent: z.ZodType<undefined, string> = z.literal('').transform(() => undefined)
const connectionOrAbsent: z.ZodType<PostgresConnection | undefined, string> = absent.or(
  postgresSettings.connection.shape,
)

export const importSettings = {
  memoryBytesMax: {
    name: 'IMPORT_MEMORY_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 68_719_476_736 }),
    default: '268435456',
    unit: 'bytes',
    description:
      'Memory of the points that an import gathers before it stores them, 12 to 24 bytes each, and of its list of series; the process takes ' +
      'up to two and a half times as much',
  },
  lineBytesMax: {
    name: 'IMPORT_LINE_BYTES_MAX',
    shape: integer({ min: 1_024, max: 268_435_456 }),
    default: '67108864',
    unit: 'bytes',
    description: 'Longest line that an import reads; longer ones are refused and counted',
  },
  liveLagMsMax: {
    name: 'IMPORT_LIVE_LAG_MS_MAX',
    shape: integer({ min: 0, max: 86_400_000 }),
    default: '120000',
    unit: 'ms',
    description:
      'How far behind now live minutes may be closed while an import goes on; it waits while they are further behind. About 75 s is normal; 0 is ' +
      'never wait',
  },
  niceness: {
    name: 'IMPORT_NICENESS',
    shape: integer({ min: 0, max: 19 }),
    default: '10',
    description: 'By how much an import gives way to other processes on its machine, as `nice` counts it',
  },
} satisfies Settings

/** Where the store is, for a command that serves both forms. */
export const importStoreSettings = {
  connection: { ...postgresSettings.connection, shape: connectionOrAbsent, default: '' },
  dataDir: {
    name: 'DATA_DIR',
    shape: text,
    default: './data',
    description: 'The data folder of the one process, running or not; unless MINUTELY_POSTGRES_URL is set',
  },
} satisfies Settings

export type ImportConfig = ConfigOf<typeof importSettings>
export type ImportStoreConfig = ConfigOf<typeof importStoreSettings>
