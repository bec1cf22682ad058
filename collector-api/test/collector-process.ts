/**
 * A collector alone in its process, for src/routes-memory.test.ts: tells its address when it listens, and on each message
 * its memory in bytes, of now (after a garbage collection) and at its highest.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { createHttpServer } from '@minutely/lib/http-server'
import { createLogger } from '@minutely/lib/logging'
import { Registry } from 'prom-client'
import { collectorSettings } from '../src/config.ts'
import { createCollector } from '../src/service.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const log = createLogger({ level: 'silent', format: 'json' })
const registry = new Registry()
const settings = { MINUTELY_LINGER_MS: '0', MINUTELY_BODY_BYTES_MAX: '8388608' }
const { collector: config } = loadConfig({ collector: collectorSettings }, settings)
const route = () => ({ topic: 'samples', partition: 0 })
const sampleLog = { takesBundles: true, route, append: async () => undefined }
const deps = { clock: new SystemClock(), sampleLog, registry, log, random: Math.random }
const collector = createCollector(config, deps)
const http = { log, registry, plugins: [collector.plugin], readiness: [collector.readiness] }
const server = createHttpServer({ host: '127.0.0.1', port: 0 }, http)

await collector.start()
await server.start()
process.on('message', () => {
  const highestBytes = process.resourceUsage().maxRSS * 1024
  collectGarbage()
  process.send?.({ nowBytes: process.memoryUsage.rss(), highestBytes })
})
process.send?.({ url: server.url })
