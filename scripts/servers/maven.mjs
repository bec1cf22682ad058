/**
 * The Java programs of the servers, fetched once with Maven into `.servers/<name>-<hash of its pom>`.
 *
 * Maven is run as its user has set it up (settings.xml, mirrors, proxies): no repository is named here. A folder comes
 * into being under another name and is renamed as the last step, so one that exists is complete.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { root } from '../clone.mjs'
import { exclusively } from '../exclusive.mjs'

const run = promisify(execFile)
const cache = join(root, '.servers')
const attemptsMax = 3
const wordsLengthMax = 2000

export function areArtefactsThere(name) {
  return existsSync(folderOf(name))
}

/** The folder that holds what `<name>-pom.xml` asks for. An archive in it is unpacked. */
export async function ensureArtefacts(name, onProgress) {
  if (!areArtefactsThere(name)) {
    await exclusively('download', async () => {
      // Another process may have done it while we waited.
      if (!areArtefactsThere(name)) await fetchArtefacts(name, onProgress)
    })
  }
  return folderOf(name)
}

async function fetchArtefacts(name, onProgress) {
  onProgress('fetching it with Maven (first time only)')
  const unfinished = join(cache, `${name}.new`)
  await rm(unfinished, { recursive: true, force: true })
  try {
    await mkdir(unfinished, { recursive: true })
    await copyArtefacts(name, unfinished)
    for (const archive of readdirSync(unfinished).filter((file) => file.endsWith('.tar.gz'))) {
      await run('tar', ['-xzf', archive], { cwd: unfinished })
      await rm(join(unfinished, archive))
    }
    await rename(unfinished, folderOf(name))
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

async function copyArtefacts(name, folder) {
  for (let attempt = 1; ; attempt++) {
    // -U: Maven would remember what it did not find.
    const flags = ['--batch-mode', '--quiet', '--file', pomOf(name), ...(attempt > 1 ? ['-U'] : [])]
    try {
      await runMaven([...flags, 'package', `-DoutputDirectory=${folder}`])
      return
    } catch (cause) {
      if (attempt < attemptsMax && cause.code !== 'ENOENT') continue
      const words = `${cause.stdout ?? ''}${cause.stderr ?? ''}`.trim().slice(-wordsLengthMax) || cause.message
      throw new Error(`Maven could not fetch ${name} in ${attempt} attempts. Its last words:\n${words}`, { cause })
    }
  }
}

/** It ends when we do, or it would go on writing into a folder that is about to be removed. */
async function runMaven(args) {
  const running = run('mvn', args, { cwd: cache })
  const kill = () => running.child.kill()
  process.once('exit', kill)
  await running.finally(() => process.off('exit', kill))
}

function folderOf(name) {
  const hash = createHash('sha256')
    .update(readFileSync(pomOf(name)))
    .digest('hex')
  return join(cache, `${name}-${hash.slice(0, 8)}`)
}

function pomOf(name) {
  return fileURLToPath(new URL(`${name}-pom.xml`, import.meta.url))
}
