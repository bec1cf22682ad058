/** `npm run import -- [options] file...`: see aggregator/src/import/import-command.ts. Files are meant from where npm was called. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { optionsOf, refuseWhatNpmTook } from './npm-took.mjs'
import { runTool } from './run-tool.mjs'

refuseWhatNpmTook('import')
const node = await ensureInstalled()
const main = join(root, 'aggregator', 'src', 'import', 'import-main.ts')
const called = process.env.INIT_CWD ?? process.cwd()
const args = process.argv.slice(2).map((arg, index, all) => {
  const isValue = optionsOf.import[all[index - 1]?.replace(/^--/, '')] === true
  return arg.startsWith('-') || isValue || !existsSync(resolve(called, arg)) ? arg : resolve(called, arg)
})
process.exitCode = await runTool(node, [main, ...args])
