/** The agent alone, for a collector elsewhere: `MINUTELY_COLLECTOR_URL=https://collector node agent/src/main.ts`. */
import { SystemClock } from '@minutely/lib/clock'
import { loadConfigOrExit, refuseArguments } from '@minutely/lib/config'
import { createHttpServer } from '@minutely/lib/http-server'
import { runServices } from '@minutely/lib/lifecycle'
import { createLogger, loggingSettings } from '@minutely/lib/logging'
import { createRegistry } from '@minutely/lib/process-metrics'
import { agentHttpSettings, agentSettings, agentSpoolSettings } from './config.ts'
import { createAgent } from './service.ts'

refuseArguments()
const config = loadConfigOrExit({
  logging: loggingSettings,
  agent: agentSettings,
  spool: agentSpoolSettings,
  http: agentHttpSettings,
})
const log = createLogger(config.logging)
const registry = createRegistry(1000)
const agent = createAgent({ ...config.agent, spool: config.spool }, { log, clock: new SystemClock(), registry })
const http = createHttpServer(config.http, {
  log,
  registry,
  plugins: [],
  readiness: [agent.readiness],
  readyDetails: () => ({ waiting: agent.waiting() }),
  settings: agentHttpSettings,
})
const explain = (message: string): void => void process.stderr.write(`The agent could not start: ${message}\n`)
process.exitCode = await runServices([http, agent], { log, explain })
