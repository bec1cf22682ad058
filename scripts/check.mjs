/** `npm run check`: lint, format and types only. Takes seconds. */
import { ensureInstalled } from './install.mjs'
import { runStaticChecks } from './static-checks.mjs'

const node = await ensureInstalled()
process.exitCode = (await runStaticChecks(node)) === 0 ? 0 : 1
