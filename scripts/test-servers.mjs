/**
 * The servers that `npm test -- --servers` starts for the tests and stops after them: scripts/servers.mjs on free ports,
 * its data in a temporary folder. It stops by itself should we be killed (its IPC channel ends).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from './clone.mjs'
import { howToInstall, missingTools } from './servers/tools.mjs'

/** Starts what this machine can. `given` holds the variables for the tests, `unable` why some are missing. */
export async function startTestServers(wanted) {
  const missing = await Promise.all(wanted.map(missingTools))
  const possible = wanted.filter((_, index) => missing[index].length === 0)
  const names = [...new Set(missing.flat())]
  const unable =
    names.length === 0 ? undefined : `cannot start them without ${names.join(', ')}. ${howToInstall(names)}`
  if (possible.length === 0) return { given: {}, unable, stop: async () => {} }

  const args = ['--json', '--free-ports', '--temporary', '--only', possible.join(',')]
  // A session of its own: Ctrl-C must not take the servers from the tests that are still ending.
  const child = spawn(process.execPath, [join(root, 'scripts', 'servers.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    detached: true,
  })
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
  for await (const line of createInterface({ input: child.stdout })) {
    const { kafkaBootstrap, schemaRegistryUrl, redisUrl } = JSON.parse(line)
    const all = { KAFKA_BOOTSTRAP: kafkaBootstrap, SCHEMA_REGISTRY_URL: schemaRegistryUrl, REDIS_URL: redisUrl }
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
    return { given, unable, stop }
  }
  return { given: {}, unable: 'they did not start; the reason is above', stop }
}
