/** `npm run fuzz:api -- --requests 20000 --seed 1`: all-in-one/test/api-fuzz.pg.test.ts for longer than `npm test` has it. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { refuseWhatNpmTook } from './npm-took.mjs'
import { giveUp, runTool } from './run-tool.mjs'

refuseWhatNpmTook('fuzz:api')
const usage = `npm run fuzz:api -- [--requests 20000] [--seed 1]`
const count = /^\d{1,9}$/
function optionsOf(args) {
  try {
    return parseArgs({ args, options: { requests: { type: 'string', default: '20000' }, seed: { type: 'string' } } })
      .values
  } catch (error) {
    return giveUp(`${error.message}; ${usage}`)
  }
}
const { requests, seed } = optionsOf(process.argv.slice(2))
for (const [name, value] of Object.entries({ requests, seed })) {
  if (value !== undefined && !count.test(value))
    giveUp(`--${name} is ${JSON.stringify(value)}, it must be a whole number`)
}
const node = await ensureInstalled()
const env = {
  ...process.env,
  MINUTELY_TEST_REQUESTS: requests,
  ...(seed === undefined ? {} : { MINUTELY_TEST_SEED: seed }),
}
const file = join(root, 'all-in-one', 'test', 'api-fuzz.pg.test.ts')
process.exitCode = await runTool(node, ['--test', '--test-reporter=spec', file], { env })
