/**
 * The folder that all servers find their minutes in, prepared once: which minutes they are stands in shape.json, written last, so a
 * folder that has it is whole.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FleetShape, toMsOf } from './generated-minutes.ts'
import { importIntoVictoriaMetrics, makePrometheusBlocks, peerFolders, startVictoriaMetrics } from './peer-servers.ts'
import { storeHours } from './store-hours.ts'

export interface Peers {
  /** Its program; undefined: is left out. */
  readonly victoriaMetrics: string | undefined
  readonly prometheus: string | undefined
}

interface Prepared {
  readonly shape: FleetShape
  readonly has: readonly string[]
  readonly blockBytes: number
}

const hourMs = 3_600_000

/** Of the hours before the last one that is over: nothing of them is open. */
export async function prepare(
  folder: string,
  wanted: { readonly servers: number; readonly metrics: number; readonly hours: number },
  { peers, say }: { readonly peers: Peers; readonly say: (text: string) => void },
): Promise<Prepared> {
  await mkdir(folder, { recursive: true })
  const { servers, metrics, hours } = wanted
  const file = join(folder, 'shape.json')
  let prepared = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as Prepared,
    () => undefined,
  )
  const save = (next: Prepared): Promise<void> => {
    prepared = next
    return writeFile(file, JSON.stringify(next))
  }
  if (prepared === undefined) {
    const toMs = (Math.floor(Date.now() / hourMs) - 1) * hourMs
    const shape = { servers, metrics, hours, fromMs: toMs - hours * hourMs }
    say(`storing ${servers * metrics * hours * 60} series-minutes of ours`)
    await save({ shape, has: [], blockBytes: await storeHours(ourFolder(folder), shape, say) })
  }
  if (prepared === undefined) throw new Error('BUG: prepared, and is not')
  const { shape } = prepared
  if (shape.servers !== servers || shape.metrics !== metrics || shape.hours !== hours) {
    throw new Error(
      `${folder} has ${shape.servers} servers, ${shape.metrics} metrics, ${shape.hours} h: ask for these, or for another folder`,
    )
  }
  const folders = peerFolders(folder)
  if (peers.victoriaMetrics !== undefined && !prepared.has.includes('victoria-metrics')) {
    say('importing the same into VictoriaMetrics')
    const started = await startVictoriaMetrics(peers.victoriaMetrics, folders.victoriaMetrics)
    await importIntoVictoriaMetrics(started.url, shape).finally(() => started.stop())
    await save({ ...prepared, has: [...prepared.has, 'victoria-metrics'] })
  }
  if (peers.prometheus !== undefined && !prepared.has.includes('prometheus')) {
    say('making blocks of the same for Prometheus')
    await makePrometheusBlocks(folders.prometheus, shape)
    await save({ ...prepared, has: [...prepared.has, 'prometheus'] })
  }
  return prepared
}

export const ourFolder = (folder: string): string => join(folder, 'minutely')
/** From the oldest minute to now, and an hour more. */
export const retentionHoursOf = (shape: FleetShape): number =>
  Math.ceil((Date.now() - toMsOf(shape)) / hourMs) + shape.hours + 2
