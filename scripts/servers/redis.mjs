/**
 * Redis on loopback, in memory only: what Minutely keeps in it may vanish at any time.
 *
 * Past its memory it evicts what would expire first (volatile-ttl): a key that was not written for longest, as of a
 * server that is gone. With allkeys-lru a key without expiry, which nobody should write, would crowd out the others in
 * silence; so it makes writes fail.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { host } from './ports.mjs'
import { spawnServer } from './server-process.mjs'

export async function startRedis({ folder, ports, memoryMb, watchdog, logFile }) {
  const [port] = ports
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'redis.conf')
  const settings = {
    bind: host,
    port,
    dir: JSON.stringify(folder),
    daemonize: 'no',
    save: '""',
    appendonly: 'no',
    maxmemory: `${memoryMb}mb`,
    'maxmemory-policy': 'volatile-ttl',
  }
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(''),
  )
  const process = spawnServer({ name: 'Redis', file: 'redis-server', args: [file], logFile: logFile(), watchdog })
  return {
    processes: [process],
    address: `redis://${host}:${port}`,
    ready: () => process.until(() => answersPing(port)),
  }
}

function answersPing(port) {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write('PING\r\n'))
    socket.setTimeout(1000, () => socket.destroy())
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString().startsWith('+PONG'))
    })
    socket.once('error', () => {})
    socket.once('close', () => resolve(false))
  })
}
