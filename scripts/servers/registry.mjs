/**
 * A schema registry with Confluent's API (Apicurio), on loopback.
 *
 * Its schemas lie in a file (H2) beside Kafka's data: an id in a record that Kafka kept must mean the same schema after
 * a restart. Its own default is to refuse no incompatible schema; here it refuses what is not FULL_TRANSITIVE.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureArtefacts } from './maven.mjs'
import { host } from './ports.mjs'
import { hastyStopMs, spawnServer } from './server-process.mjs'
import { javaBinary } from './tools.mjs'

const heapMb = 256
const answerTimeoutMs = 10_000

export async function startRegistry({ folder, ports, isTemporary, watchdog, logFile, onProgress }) {
  const grace = isTemporary ? { graceMs: hastyStopMs } : {}
  const [port] = ports
  const program = await ensureArtefacts('registry', onProgress)
  const jar = (await readdir(program)).find((name) => name.endsWith('-runner.jar'))
  if (jar === undefined) throw new Error(`there is no *-runner.jar in ${program}; remove that folder and try again`)
  await mkdir(folder, { recursive: true })
  const settings = {
    'quarkus.http.host': host,
    'quarkus.http.port': port,
    'quarkus.http.access-log.enabled': false,
    // `;` would begin an option of H2.
    'apicurio.datasource.url': `jdbc:h2:file:${join(folder, 'schemas').replaceAll(';', '\\;')}`,
  }
  const flags = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`)
  const args = [`-Xmx${heapMb}m`, '-XX:+UseSerialGC', ...flags, '-jar', join(program, jar)]
  const started = { name: 'The schema registry', file: javaBinary(), args, logFile: logFile(), watchdog }
  const process = spawnServer({ ...started, ...grace })
  const address = `http://${host}:${port}/apis/ccompat/v7`
  return { processes: [process], address, ready: () => process.until(() => requireCompatibility(address)) }
}

async function requireCompatibility(url) {
  const body = JSON.stringify({ compatibility: 'FULL_TRANSITIVE' })
  const headers = { 'content-type': 'application/json' }
  const signal = AbortSignal.timeout(answerTimeoutMs)
  return fetch(`${url}/config`, { method: 'PUT', headers, body, signal }).then(
    ({ ok }) => ok,
    () => false,
  )
}
