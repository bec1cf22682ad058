/** Finds a program that the benchmark may use: a variable names it, or it is on PATH. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** @throws when the variable names what cannot be run. @returns undefined when it is not at hand. */
export function findProgram(
  { name, variable }: { name: string; variable: string },
  environment: Environment = process.env,
): string | undefined {
  const named = environment[variable]
  if (named) {
    if (isExecutable(named)) return named
    throw new Error(`${variable}=${named} is not a program that can be run; correct it or unset it`)
  }
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
