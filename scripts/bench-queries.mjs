/** `npm run bench:queries -- --servers 100 --metrics 100 --hours 48 --n 200`: see loadtest/src/queries/query-options.ts. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runTool } from './run-tool.mjs'

refuseWhatNpmTook('bench:queries')
const node = await ensureInstalled()
process.exitCode = await runTool(node, [join(root, 'loadtest', 'src', 'query-bench.ts'), ...process.argv.slice(2)])
