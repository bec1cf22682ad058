/** `npm run dead-letters -- list`: see aggregator/src/dead-letters-command.ts. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { runTool } from './run-tool.mjs'

const node = await ensureInstalled()
const main = join(root, 'aggregator', 'src', 'dead-letters-main.ts')
process.exitCode = await runTool(node, [main, ...process.argv.slice(2)])
