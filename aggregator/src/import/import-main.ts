/** The entry point of `npm run import` (import-command.ts). */
import { setPriority } from 'node:os'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfigOrExit } from '@minutely/lib/config'
import { deploymentSettings } from '@minutely/lib/deployment-settings'
import { httpSettings } from '@minutely/lib/http-server'
import { holdProcess } from '@minutely/lib/lifecycle'
import { createLogger, loggingSettings } from '@minutely/lib/logging'
import { ringSettings } from '@minutely/lib/recent-ring/ring-settings'
import { aggregatorSettings, aggregatorStoreSettings } from '../config.ts'
import { explainFailure, importHistory } from './import-process.ts'
import { importSettings, importStoreSettings } from './import-settings.ts'

const config = loadConfigOrExit(
  {
    import: importSettings,
    place: importStoreSettings,
    aggregator: aggregatorSettings,
    ring: ringSettings,
    logging: { ...loggingSettings, level: { ...loggingSettings.level, default: 'error' } },
  },
  { shared: [...deploymentSettings, httpSettings, aggregatorStoreSettings] },
)
setPriority(config.import.niceness)
const release = holdProcess()
try {
  const deps = {
    clock: new SystemClock(),
    log: createLogger(config.logging),
    stdin: process.stdin,
    stderr: process.stderr,
  }
  await importHistory(process.argv.slice(2), config, deps)
} catch (error) {
  process.exitCode = explainFailure(error, process.stderr)
} finally {
  release()
}
