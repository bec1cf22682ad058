/** `npm run hostile -- 20`: see loadtest/README.md. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { runTool } from './run-tool.mjs'

const node = await ensureInstalled()
process.exitCode = await runTool(node, [join(root, 'loadtest', 'src', 'hostile.ts'), ...process.argv.slice(2)])
