/**
 * The figures of the last run with the same options, to be shown beside the next one's. They lie in a file that git ignores: CPU times
 * of another machine say nothing about this one, and what is worth keeping goes into loadtest/results as a text.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KeptFigures } from './bench-table.ts'

export const previousFile = fileURLToPath(new URL('../../../.minutely-bench/previous.json', import.meta.url))

type Runs = Readonly<Record<string, KeptFigures>>

/** `options`: names what was run. Nothing when there was none, or its file cannot be read. */
export async function readPrevious(options: string, file = previousFile): Promise<KeptFigures> {
  return (await readAll(file))[options] ?? {}
}

export async function keepFigures(options: string, figures: KeptFigures, file = previousFile): Promise<void> {
  const runs = { ...(await readAll(file)), [options]: figures }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(runs, null, 2)}\n`)
}

async function readAll(file: string): Promise<Runs> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Runs
  } catch {
    return {}
  }
}
