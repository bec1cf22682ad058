/**
 * VictoriaMetrics and Prometheus as contestants: their own programs, on the loopback, with storage in the run's folder, fed by remote
 * write. Neither syncs to disk before it answers. SIGINT makes them flush what they hold, which counts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Contestant, Running, StartRequest } from './contestant.ts'
import { findProgram } from './program.ts'

interface Peer {
  readonly name: string
  readonly program: string
  readonly variable: string
  readonly argumentsFor: (folder: string, address: string) => readonly string[]
  readonly writePath: string
  readonly readyPath: string
}

const startDeadlineMs = 30_000
const pollMs = 50

const peers: readonly Peer[] = [
  {
    name: 'VictoriaMetrics',
    program: 'victoria-metrics',
    variable: 'VICTORIA_METRICS_BIN',
    argumentsFor: (folder, address) => [
      `-storageDataPath=${join(folder, 'storage')}`,
      `-httpListenAddr=${address}`,
      '-loggerLevel=ERROR',
    ],
    writePath: '/api/v1/write',
    readyPath: '/health',
  },
  {
    name: 'Prometheus',
    program: 'prometheus',
    variable: 'PROMETHEUS_BIN',
    argumentsFor: (folder, address) => [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'storage')}`,
      `--web.listen-address=${address}`,
      '--web.enable-remote-write-receiver',
      '--log.level=error',
    ],
    writePath: '/api/v1/write',
    readyPath: '/-/ready',
  },
]

/** Those whose programs are at hand, and a line for each that is not. */
export function findPeers(): { contestants: readonly Contestant[]; missing: readonly string[] } {
  const found = peers.map((peer) => ({ peer, file: findProgram({ name: peer.program, variable: peer.variable }) }))
  return {
    contestants: found.flatMap(({ peer, file }) => (file === undefined ? [] : [contestantOf(peer, file)])),
    missing: found.flatMap(({ peer: { name, program, variable }, file }) =>
      file === undefined ? [`${name} is not at hand: install ${program} or set ${variable} to it`] : [],
    ),
  }
}

function contestantOf(peer: Peer, file: string): Contestant {
  return { name: peer.name, format: 'remote-write', start: (request) => startPeer(peer, file, request) }
}

async function startPeer(peer: Peer, file: string, { folder, plan, speed }: StartRequest): Promise<Running> {
  const address = `127.0.0.1:${await findFreePort()}`
  await writeFile(join(folder, 'prometheus.yml'), '')
  const child = spawn(file, peer.argumentsFor(folder, address), { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(child, 'exit')
  await untilReady(child, `http://${address}${peer.readyPath}`)
  return {
    url: `http://${address}${peer.writePath}`,
    time: { realMs: Date.now(), fleetMs: plan.startMs, speed },
    roots: new Map([[child.pid ?? 0, peer.name]]),
    backends: async () => new Map(),
    settle: async () => {},
    check: async () => ({ checked: '', problems: [], remarks: [] }),
    disk: async () => undefined,
    profiled: [],
    startProfile: async () => {},
    stopProfile: async () => [],
    metricsUrls: [],
    stop: async () => {
      child.kill('SIGINT')
      await ended
    },
  }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (const untilMs = Date.now() + startDeadlineMs; Date.now() < untilMs; await delay(pollMs)) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}; see above`)
    if (
      await fetch(url).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return
  }
  child.kill('SIGKILL')
  throw new Error(`${child.spawnfile} is not ready after ${startDeadlineMs} ms: ${url}`)
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has an address with a port')
  return address.port
}
