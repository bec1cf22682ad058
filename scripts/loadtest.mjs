/** `npm run loadtest -- --agents 10000 --metrics 10 --minutes 3`: see loadtest/README.md. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runTool } from './run-tool.mjs'

refuseWhatNpmTook('loadtest')
const node = await ensureInstalled()
process.exitCode = await runTool(node, [join(root, 'loadtest', 'src', 'loadtest.ts'), ...process.argv.slice(2)])
