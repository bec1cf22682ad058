/** `npm run bench:viewers -- --viewers 1000 --minutes 5`: see loadtest/src/viewers/viewers-options.ts. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runTool } from './run-tool.mjs'

refuseWhatNpmTook('bench:viewers')
const node = await ensureInstalled()
process.exitCode = await runTool(node, [join(root, 'loadtest', 'src', 'viewers-bench.ts'), ...process.argv.slice(2)])
