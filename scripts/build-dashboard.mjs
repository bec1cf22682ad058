/**
 * Builds the dashboard when dashboard/dist is missing or was built from other sources.
 *
 * The hash of everything the build reads is kept in dashboard/dist/.minutely-stamp. Vite writes beside dist, and the
 * finished folder takes dist's place, so a running server never serves half a build.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { modules, root } from './clone.mjs'
import { exclusively } from './exclusive.mjs'
import { giveUp, runTool, secondsSince } from './run-tool.mjs'

const dashboard = join(root, 'dashboard')
const dist = join(dashboard, 'dist')
const unfinished = join(dashboard, '.minutely-dist')
const sources = [
  'dashboard/index.html',
  'dashboard/package.json',
  'dashboard/public',
  'dashboard/src',
  'dashboard/tsconfig.json',
  'dashboard/vite.config.ts',
  'package-lock.json',
  'schema/src',
]

export async function ensureDashboard(node) {
  const wanted = hashSources()
  if (isBuilt(wanted)) return
  await exclusively('dashboard', async (addToLock) => {
    if (!isBuilt(wanted)) await build({ node, stamp: wanted, addToLock })
  })
}

async function build({ node, stamp, addToLock }) {
  const startMs = performance.now()
  console.log('Building the dashboard')
  const vite = join(modules, 'vite', 'bin', 'vite.js')
  const args = [vite, 'build', '--logLevel', 'warn', '--outDir', unfinished, '--emptyOutDir']
  const code = await runTool(node, args, { cwd: dashboard, onSpawn: addToLock }).catch((error) =>
    giveUp(`cannot run vite: ${error.message}`),
  )
  if (code !== 0) giveUp(`the dashboard does not build (vite ended with exit code ${code}); its own words are above`)
  writeFileSync(join(unfinished, '.minutely-stamp'), stamp)
  rmSync(dist, { recursive: true, force: true })
  renameSync(unfinished, dist)
  console.log(`Built the dashboard in ${secondsSince(startMs)}`)
}

function isBuilt(stamp) {
  const file = join(dist, '.minutely-stamp')
  return existsSync(file) && readFileSync(file, 'utf8') === stamp
}

function hashSources() {
  const hash = createHash('sha256')
  for (const source of sources) addToHash(hash, source)
  return hash.digest('hex')
}

function addToHash(hash, path) {
  const absolute = join(root, path)
  if (!existsSync(absolute) || /\.test\.tsx?$/.test(path)) return
  const entries = readFolder(absolute)
  if (entries === undefined) hash.update(`${path}\0`).update(readFileSync(absolute)).update('\0')
  else for (const entry of entries.sort()) addToHash(hash, `${path}/${entry}`)
}

function readFolder(path) {
  try {
    return readdirSync(path)
  } catch (error) {
    if (error.code === 'ENOTDIR') return undefined
    throw error
  }
}
