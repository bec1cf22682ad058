/** `npm run schemas -- check <file.avsc>`: what the schema registry says to a changed schema; see docs/schema-evolution.md. */
import { join } from 'node:path'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { runTool } from './run-tool.mjs'

const node = await ensureInstalled()
const tool = join(root, 'lib', 'src', 'schema-registry', 'check-schema.ts')
process.exitCode = await runTool(node, [tool, ...process.argv.slice(2)])
