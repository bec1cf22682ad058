/**
 * Finds k6 (https://k6.io), the load generator: K6_BIN, then this clone's own `.servers/bin`, then PATH, then where `go
 * install` puts programs. Where there is none but Go, installs it into `.servers/bin`, which takes some minutes once.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ownFolder = fileURLToPath(new URL('../../.servers/bin', import.meta.url))
const goPackage = 'go.k6.io/k6@latest'

type Environment = Readonly<Record<string, string | undefined>>

export function findK6(environment: Environment = process.env): string | undefined {
  const { K6_BIN, GOBIN, GOPATH } = environment
  if (K6_BIN) {
    if (isExecutable(K6_BIN)) return K6_BIN
    throw new Error(`K6_BIN=${K6_BIN} is not a program that can be run; correct it or unset it`)
  }
  const goFolders = [GOBIN, ...(GOPATH ?? join(homedir(), 'go')).split(delimiter).map((folder) => join(folder, 'bin'))]
  const folders = [ownFolder, ...pathFolders(environment), ...goFolders]
  return folders.flatMap((folder) => (folder ? [join(folder, 'k6')] : [])).find(isExecutable)
}

/** @throws when there is neither k6 nor Go, or the installation fails. */
export async function findOrInstallK6(say: (text: string) => void, environment: Environment = process.env) {
  const found = findK6(environment)
  if (found !== undefined) return found
  const go = [...pathFolders(environment), '/usr/local/go/bin'].map((folder) => join(folder, 'go')).find(isExecutable)
  if (go === undefined) {
    throw new Error(
      `k6 is needed and was not found; install it (https://grafana.com/docs/k6/latest/set-up/install-k6/), set K6_BIN to ` +
        `it, or install Go, with which this command gets k6 by itself`,
    )
  }
  say(`installing k6 into ${ownFolder} (go install ${goPackage}): some minutes, once`)
  const child = spawn(go, ['install', goPackage], { env: { ...environment, GOBIN: ownFolder }, stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  const file = join(ownFolder, 'k6')
  if (code === 0 && isExecutable(file)) return file
  throw new Error(
    `go install ${goPackage} failed with exit code ${code}; see above, or install k6 and set K6_BIN to it`,
  )
}

function pathFolders(environment: Environment): string[] {
  return (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
