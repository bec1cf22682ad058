/** Minutely in one process: `npm start`. */
import { SystemClock } from '@minutely/lib/clock'
import { loadConfigOrExit, refuseArguments } from '@minutely/lib/config'
import { runServices } from '@minutely/lib/lifecycle'
import { createLogger } from '@minutely/lib/logging'
import { allInOneSettings } from './config.ts'
import { Progress } from './progress.ts'
import { createAllInOne } from './service.ts'

refuseArguments()
const config = loadConfigOrExit(allInOneSettings)
const log = createLogger(config.logging)
const clock = new SystemClock()
const progress = new Progress({ clock, write: (text) => process.stdout.write(text) })
const explain = (message: string): void => void process.stderr.write(`\nMinutely could not start: ${message}\n\n`)
process.exitCode = await runServices([createAllInOne(config, { clock, log, progress })], { log, explain })
