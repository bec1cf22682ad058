/** The file of a run's report: looked at before the run, so that a wrong name costs nothing, and written behind it. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ReportHead } from './chaos-report.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** What is in it stays. @throws when nothing can be written there. */
export function assertWritable(file: string): void {
  try {
    closeSync(openSync(file, 'a'))
  } catch (error) {
    throw new Error(`--report ${file}: cannot be written (${(error as Error).message})`)
  }
}

export function reportHead(args: readonly string[]): ReportHead {
  const command = ['npm run chaos', ...(args.length === 0 ? [] : ['--', ...args])].join(' ')
  return { commit: commit(), command, nodeVersion: process.version, cores: availableParallelism() }
}

function commit(): string | undefined {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return undefined
  }
}
