/** `npm run return -- --agents 1000 --backlog-minutes 60`: see loadtest/README.md. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runTool } from './run-tool.mjs'

refuseWhatNpmTook('return')
const node = await ensureInstalled()
process.exitCode = await runTool(node, [join(root, 'loadtest', 'src', 'return.ts'), ...process.argv.slice(2)])
