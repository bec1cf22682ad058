/** Which test files there are, and which of them this machine can run. */
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from './clone.mjs'

const ignoredFolders = new Set(['node_modules', 'dist', 'data'])
const macChromium = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]
const servers = [
  { server: 'kafka', variable: 'KAFKA_BOOTSTRAP' },
  { server: 'registry', variable: 'SCHEMA_REGISTRY_URL' },
  { server: 'redis', variable: 'REDIS_URL' },
]
/** What the files of each kind need, by the variable that tells them where it is. */
const needs = [
  { kind: 'browser', variables: ['CHROMIUM_BIN'] },
  ...servers.map(({ server, variable }) => ({ kind: server, variables: [variable] })),
  { kind: 'fleet', variables: servers.map(({ variable }) => variable) },
]
const browserHelp = 'no Chromium found; apt-get install chromium, or set CHROMIUM_BIN'
const serversHelp =
  'run "npm run servers" in another terminal and paste the exports it prints, or let "npm test -- --servers" start them'

/** Which of the servers the test files need that nobody has told us the address of. */
export function serversNeeded(filters) {
  const wanted = wantedFiles(filters)
  const variables = needs.flatMap((need) => (filesOfKind(wanted, need.kind).length > 0 ? need.variables : []))
  return servers
    .filter(({ variable }) => variables.includes(variable) && !process.env[variable])
    .map(({ server }) => server)
}

/**
 * `given`: variables that are not in our environment, and `unable`: why servers that were to be started are not there.
 * The answer's `environment` holds what was found, for the tests to use.
 */
export function chooseTestFiles(filters, { given = {}, unable } = {}) {
  let files = wantedFiles(filters)
  const unmet = []
  const environment = { ...given }
  for (const { kind, variables } of needs) {
    const ofKind = filesOfKind(files, kind)
    if (ofKind.length === 0) continue
    const found = variables.map((variable) => [variable, given[variable] ?? find(variable)])
    const missing = found.filter(([, value]) => !value).map(([variable]) => variable)
    if (missing.length === 0) {
      Object.assign(environment, Object.fromEntries(found))
    } else {
      const help = kind === 'browser' ? browserHelp : `no ${missing.join(', ')}; ${unable ?? serversHelp}`
      unmet.push({ kind, reason: help, count: ofKind.length })
      files = files.filter((file) => !ofKind.includes(file))
    }
  }
  return { files, unmet, environment }
}

function wantedFiles(filters) {
  return findTestFiles('').filter((file) => filters.length === 0 || filters.some((text) => file.includes(text)))
}

function filesOfKind(files, kind) {
  return files.filter((file) => file.endsWith(`.${kind}.test.ts`))
}

function find(variable) {
  return variable === 'CHROMIUM_BIN' ? findChromium() : process.env[variable]
}

function findTestFiles(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !ignoredFolders.has(name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return findTestFiles(path)
      return entry.name.endsWith('.test.ts') ? [path] : []
    })
    .sort()
}

function findChromium() {
  if (process.env.CHROMIUM_BIN) return process.env.CHROMIUM_BIN
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  return [...candidates, ...macChromium].find(isExecutable)
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
