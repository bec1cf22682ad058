/** `npm run simulate -- --seeds 10000`: see loadtest/src/simulation/simulate-options.ts. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runTool } from './run-tool.mjs'

refuseWhatNpmTook('simulate')
const node = await ensureInstalled()
process.exitCode = await runTool(node, [join(root, 'loadtest', 'src', 'simulate.ts'), ...process.argv.slice(2)])
