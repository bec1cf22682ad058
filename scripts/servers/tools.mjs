/** What the servers need of this machine: Java 17 or later, Maven (to fetch once), redis-server. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { areArtefactsThere } from './maven.mjs'

const run = promisify(execFile)
const javaMajorMin = 17
const javaServers = ['kafka', 'registry']

export function javaBinary() {
  return process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java'
}

/** Why a server cannot run here: an empty list if it can. */
export async function missingTools(server) {
  if (server === 'redis') return (await runs('redis-server')) ? [] : ['redis-server']
  if (!javaServers.includes(server)) return []
  const missing = []
  const major = await javaMajor()
  if (major === undefined) missing.push(`Java ${javaMajorMin}`)
  else if (major < javaMajorMin) missing.push(`Java ${javaMajorMin} (${javaBinary()} is ${major})`)
  if (!areArtefactsThere(server) && !(await runs('mvn'))) missing.push('Maven')
  return missing
}

export function howToInstall(missing) {
  const packages = [
    { tool: 'Java', debian: 'default-jre-headless', mac: 'openjdk' },
    { tool: 'Maven', debian: 'maven', mac: 'maven' },
    { tool: 'redis-server', debian: 'redis-server', mac: 'redis' },
  ].filter(({ tool }) => missing.some((text) => text.startsWith(tool)))
  const namesFor = (system) => packages.map((names) => names[system]).join(' ')
  return `Debian, Ubuntu: sudo apt-get install ${namesFor('debian')}; macOS: brew install ${namesFor('mac')}`
}

/** 17 of `openjdk version "17.0.15" 2025-04-15`; 1 of Java 8 and before, which call themselves 1.8. */
async function javaMajor() {
  try {
    const { stderr, stdout } = await run(javaBinary(), ['-version'])
    const found = /version "(\d+)/.exec(stderr + stdout)
    return found === null ? undefined : Number(found[1])
  } catch {
    return undefined
  }
}

async function runs(file) {
  return run(file, ['--version']).then(
    () => true,
    () => false,
  )
}
