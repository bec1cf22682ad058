/** `npm run docs`: writes the generated tables of the documents anew. With `--check` it writes nothing and fails if one is stale. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { runTool } from './run-tool.mjs'

const node = await ensureInstalled()
process.exitCode = await runTool(node, [join(root, 'scripts', 'docs-tables.ts'), ...process.argv.slice(2)])
