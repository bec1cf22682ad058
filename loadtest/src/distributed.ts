/** `npm run distributed`: the distributed form on this machine, with generated agents; see fleet/distributed-options.ts. */
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runServices } from '@minutely/lib/lifecycle'
import { createLogger } from '@minutely/lib/logging'
import { type DistributedOptions, readDistributedOptions, usage } from './fleet/distributed-options.ts'
import { DistributedShow } from './fleet/distributed-show.ts'
import { clockTime } from './fleet/progress-lines.ts'
import { Servers } from './fleet/server-addresses.ts'

const say = (message: string): void => void process.stdout.write(`${clockTime(Date.now())}  ${message}\n`)
const options = optionsOrExit()
const logDir =
  options.logs === undefined ? await mkdtemp(join(tmpdir(), 'minutely-distributed-')) : resolve(options.logs)
await mkdir(logDir, { recursive: true })
// FLUSHALL is for a Redis that nobody else uses, made-up minutes for such a PostgreSQL.
const servers = new Servers({
  own: [
    ...(options.mustFlushRedis ? ['redis' as const] : []),
    ...(options.historyHours > 0 ? ['postgres' as const] : []),
  ],
})
const below = { name: 'servers', start: () => servers.start({ onProgress: say }), stop: () => servers.stop() }
const log = createLogger({ level: 'warn', format: 'auto' })
const show = new DistributedShow(options, {
  servers: () => servers.addresses,
  logDir,
  say,
  end: () => void process.kill(process.pid, 'SIGTERM'),
  log,
})
const exitCode = await runServices([below, show], { log, explain: say })
process.exitCode = exitCode !== 0 || show.problems.length > 0 ? 1 : 0
say(process.exitCode === 0 ? 'stopped' : `stopped, not as it should; what each service said is in ${logDir}`)

function optionsOrExit(): DistributedOptions {
  try {
    const found = readDistributedOptions(process.argv.slice(2))
    if (found !== undefined) return found
    process.stdout.write(`${usage}\n`)
    return process.exit(0)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return process.exit(2)
  }
}
