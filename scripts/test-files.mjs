/** Which test files there are, and which of them this machine can run. */
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from './clone.mjs'

const ignoredFolders = new Set(['node_modules', 'dist', 'data'])
const macChromium = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]
const needs = [
  {
    kind: 'browser',
    find: findChromium,
    variable: 'CHROMIUM_BIN',
    reason: 'no Chromium found; apt-get install chromium or set CHROMIUM_BIN',
  },
  {
    kind: 'kafka',
    find: () => process.env.KAFKA_BOOTSTRAP,
    variable: 'KAFKA_BOOTSTRAP',
    reason: 'no Kafka; set KAFKA_BOOTSTRAP to host:port of a broker',
  },
  {
    kind: 'redis',
    find: () => process.env.REDIS_URL,
    variable: 'REDIS_URL',
    reason: 'no Redis; set REDIS_URL to redis://host:port',
  },
]

/** `environment` holds what was found, for the tests to use. */
export function chooseTestFiles(filters) {
  const wanted = findTestFiles('').filter((file) => filters.length === 0 || filters.some((text) => file.includes(text)))
  const unmet = []
  const environment = {}
  let files = wanted
  for (const { kind, find, variable, reason } of needs) {
    const ofKind = files.filter((file) => file.endsWith(`.${kind}.test.ts`))
    if (ofKind.length === 0) continue
    const found = find()
    if (found) {
      environment[variable] = found
    } else {
      unmet.push({ kind, reason, count: ofKind.length })
      files = files.filter((file) => !ofKind.includes(file))
    }
  }
  return { files, unmet, environment }
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
