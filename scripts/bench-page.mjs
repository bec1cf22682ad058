/** `npm run bench:page -- --hosts 10000 --runs 5`: see loadtest/src/page-bench.ts. */
import { join } from 'node:path'
import { ensureDashboard } from './build-dashboard.mjs'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { runTool } from './run-tool.mjs'

refuseWhatNpmTook('bench:page')
const node = await ensureInstalled()
await ensureDashboard(node)
process.exitCode = await runTool(node, [join(root, 'loadtest', 'src', 'page-bench.ts'), ...process.argv.slice(2)])
