/**
 * The embedded process with a scaled clock, for benchmarks: everything else is as in all-in-one/src/main.ts.
 * Arguments: speed, start instant in ms. Writes one line of JSON when it listens: its URL, and what its clock and the machine's say at that moment.
 */
import { allInOneSettings } from '@minutely/all-in-one/config'
import { Progress } from '@minutely/all-in-one/progress'
import { createAllInOne } from '@minutely/all-in-one/service'
import { loadConfigOrExit } from '@minutely/lib/config'
import { runServices } from '@minutely/lib/lifecycle'
import { createLogger } from '@minutely/lib/logging'
import { ScaledClock } from './scaled-clock.ts'

const [speed = '1', startMs = String(Date.now())] = process.argv.slice(2)
const config = loadConfigOrExit(allInOneSettings)
const log = createLogger(config.logging)
const clock = new ScaledClock({ speed: Number(speed), startMs: Number(startMs) })
// Its times would be scaled and its banner an invitation to a process that is about to end.
const progress = new Progress({ clock, write: () => {} })
const minutely = createAllInOne(config, { clock, log, progress })
const announced = {
  name: 'announcement',
  start: async () => {
    process.stdout.write(`${JSON.stringify({ url: minutely.url, startedAtMs: clock.nowMs(), realMs: Date.now() })}\n`)
  },
  stop: async () => {},
}
process.exitCode = await runServices([minutely, announced], { log })
