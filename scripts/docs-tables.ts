/** Writes the settings tables of every document anew; with `--check` it only says which are stale. Run by docs.mjs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow, root } from '../tidy/repository.ts'
import { withCurrentTables } from './docs-settings.ts'

const isCheck = process.argv.includes('--check')
let staleCount = 0
for (const path of filesBelow('').filter((name) => name.endsWith('.md'))) {
  const written = readFileSync(join(root, path), 'utf8')
  let current: string
  try {
    current = withCurrentTables(written)
  } catch (error) {
    console.error(`✖ ${path}: ${(error as Error).message}`)
    process.exitCode = 1
    continue
  }
  if (current === written) continue
  staleCount++
  if (!isCheck) writeFileSync(join(root, path), current)
  console.log(isCheck ? `✖ ${path} has stale tables; npm run docs writes them anew` : `wrote ${path}`)
}
if (isCheck && staleCount > 0) process.exitCode = 1
if (staleCount === 0 && process.exitCode === undefined) console.log('✔ all settings tables are current')
