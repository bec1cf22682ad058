/**
 * VictoriaMetrics and Prometheus on loopback, with the generated minutes: one value a minute, in folders that are kept with the rest.
 * VictoriaMetrics gets them through its /api/v1/import, Prometheus as blocks of promtool, two hours each.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type FleetShape, generate, metricIdOf, serverIdOf } from './generated-minutes.ts'

export interface StartedPeer {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

const minuteMs = 60_000
const seriesPerImport = 50
const blockHours = 2

export async function startVictoriaMetrics(binary: string, folder: string): Promise<StartedPeer> {
  const port = await freePort()
  return start(binary, {
    args: [
      `-storageDataPath=${folder}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-retentionPeriod=1y',
      '-loggerLevel=ERROR',
    ],
    url: `http://127.0.0.1:${port}`,
    readyPath: '/health',
  })
}

export async function startPrometheus(binary: string, folder: string): Promise<StartedPeer> {
  const port = await freePort()
  return start(binary, {
    args: [
      `--storage.tsdb.path=${folder}`,
      '--config.file=/dev/null',
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.tsdb.retention.time=1y',
      '--log.level=error',
    ],
    url: `http://127.0.0.1:${port}`,
    readyPath: '/-/ready',
  })
}

export async function importIntoVictoriaMetrics(url: string, shape: FleetShape): Promise<void> {
  const minutes = shape.hours * 60
  const firstMinute = shape.fromMs / minuteMs
  const timestamps = Array.from({ length: minutes }, (_, minute) => shape.fromMs + minute * minuteMs).join()
  let lines: string[] = []
  const send = async (): Promise<void> => {
    const answer = await fetch(`${url}/api/v1/import`, { method: 'POST', body: lines.join('') })
    if (!answer.ok) throw new Error(`VictoriaMetrics refused the import: ${answer.status} ${await answer.text()}`)
    lines = []
  }
  for (let server = 0; server < shape.servers; server++) {
    for (let metric = 0; metric < shape.metrics; metric++) {
      const metricLabels = JSON.stringify({ __name__: metricIdOf(metric), server: serverIdOf(server) })
      const values = valuesOf({ server, metric }, firstMinute, minutes).join()
      lines.push(`{"metric":${metricLabels},"values":[${values}],"timestamps":[${timestamps}]}\n`)
      if (lines.length >= seriesPerImport) await send()
    }
  }
  if (lines.length > 0) await send()
  for (const path of ['/internal/force_flush', '/internal/force_merge']) await (await fetch(url + path)).text()
  // It merges after its answer, and may not be stopped meanwhile.
  await delay(1_000)
  for (;;) {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    if (!/^vm_active_force_merges [1-9]/m.test(metrics)) return
    await delay(250)
  }
}

export async function makePrometheusBlocks(folder: string, shape: FleetShape): Promise<void> {
  await mkdir(folder, { recursive: true })
  const file = `${folder}.txt`
  for (let hour = 0; hour < shape.hours; ) {
    const firstHour = shape.fromMs / 3_600_000 + hour
    // A file a block: promtool reads all of its file once for each.
    const hours = Math.min(shape.hours - hour, blockHours - (firstHour % blockHours))
    await writeOpenMetrics(file, { ...shape, fromMs: shape.fromMs + hour * 3_600_000, hours })
    const made = spawn('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', '-q', file, folder], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [code] = (await once(made, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`promtool ended with ${code}`)
    hour += hours
  }
  await rm(file, { force: true })
}

/** Of a peer that was found on PATH, or at this path. */
export async function canRun(binary: string, versionFlag: string): Promise<boolean> {
  const child = spawn(binary, [versionFlag], { stdio: 'ignore' })
  return Promise.race([once(child, 'exit').then(([code]) => code === 0), once(child, 'error').then(() => false)]).catch(
    () => false,
  )
}

function valuesOf(series: { server: number; metric: number }, firstMinute: number, minutes: number): number[] {
  const made = { min: 0, max: 0, sum: 0 }
  return Array.from({ length: minutes }, (_, minute) => {
    generate(series, firstMinute + minute, made)
    return made.max
  })
}

async function writeOpenMetrics(file: string, shape: FleetShape): Promise<void> {
  const out = createWriteStream(file)
  const [minutes, firstMinute] = [shape.hours * 60, shape.fromMs / minuteMs]
  for (let metric = 0; metric < shape.metrics; metric++) {
    const name = metricIdOf(metric)
    let text = `# TYPE ${name} gauge\n`
    for (let server = 0; server < shape.servers; server++) {
      const head = `${name}{server="${serverIdOf(server)}"}`
      valuesOf({ server, metric }, firstMinute, minutes).forEach((value, minute) => {
        text += `${head} ${value} ${(firstMinute + minute) * 60}\n`
      })
    }
    if (!out.write(text)) await once(out, 'drain')
  }
  out.end('# EOF\n')
  await finished(out)
}

async function start(
  binary: string,
  { args, url, readyPath }: { readonly args: string[]; readonly url: string; readonly readyPath: string },
): Promise<StartedPeer> {
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = Promise.race([once(child, 'exit'), once(child, 'error')])
  let hasEnded = false
  void ended.then(() => {
    hasEnded = true
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  for (;;) {
    if (hasEnded) throw new Error(`${binary} ended before it answered; see above`)
    const isReady = await fetch(url + readyPath).then(
      (answer) => answer.ok,
      () => false,
    )
    if (isReady) return { url, pid: child.pid ?? 0, stop }
    await delay(100)
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has an address with a port')
  return address.port
}

export const peerFolders = (folder: string) => ({
  victoriaMetrics: join(folder, 'victoria-metrics'),
  prometheus: join(folder, 'prometheus'),
})
