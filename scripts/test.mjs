/**
 * `npm test`: lint, types, then every *.test.ts. `npm test -- lib/src/foo` runs only the test files whose path contains
 * that text.
 *
 * A suffix names what a file needs (x.browser.test.ts). What the machine lacks is skipped, loudly, or is a failure with
 * MINUTELY_TEST_REQUIRE_ALL=1. PostgreSQL is never lacking: it comes with the dependencies. The very last line is
 * always `N passed, N failed, N skipped`; a failed check counts as one failure, a skipped file as one skip.
 */
import { join } from 'node:path'
import { ensureDashboard } from './build-dashboard.mjs'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { giveUp, runTool } from './run-tool.mjs'
import { runStaticChecks } from './static-checks.mjs'
import { chooseTestFiles } from './test-files.mjs'

const filters = process.argv.slice(2)
const { files, unmet, environment } = chooseTestFiles(filters)
if (files.length === 0 && unmet.length === 0) giveUp(`no test file's path contains ${filters.join(' or ')}`)

const node = await ensureInstalled()
await ensureDashboard(node)

const totals = { passed: 0, failed: 0, skipped: 0 }
const notices = []
totals.failed += await runStaticChecks(node)

for (const { kind, count, reason } of unmet) {
  const required = process.env.MINUTELY_TEST_REQUIRE_ALL === '1'
  totals[required ? 'failed' : 'skipped'] += count
  notices.push(`${required ? '✖ FAILED' : '﹣ SKIPPED'} ${count} ${kind} test file${count === 1 ? '' : 's'}: ${reason}`)
}
for (const notice of notices) console.log(notice)

if (files.length > 0) {
  let counted
  const code = await runTool(node, [join(root, 'scripts', 'run-tests.mjs'), ...files], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
    onMessage: (message) => {
      counted = message
    },
  })
  for (const key of Object.keys(totals)) totals[key] += counted?.[key] ?? 0
  if (counted === undefined || (code !== 0 && counted.failed === 0)) {
    totals.failed += 1
    console.log(`✖ the test runner ended with exit code ${code}`)
  }
}

console.log('')
for (const notice of notices) console.log(notice)
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exitCode = totals.failed === 0 ? 0 : 1
