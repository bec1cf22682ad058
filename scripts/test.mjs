/**
 * `npm test`: lint, types, then every *.test.ts. `npm test -- lib/src/foo` runs only the test files whose path contains
 * that text.
 *
 * A suffix names what a file needs (x.browser.test.ts). What the machine lacks is skipped, with one line for each kind, or
 * is a failure with MINUTELY_TEST_REQUIRE_ALL=1. PostgreSQL is never lacking: it comes with the dependencies. With
 * `--servers` or MINUTELY_TEST_SERVERS=1 we start the Kafka, registry and Redis that are needed and not given, and stop them
 * at the end. The very last line is always `N passed, N failed, N skipped`; a failed check counts as one failure, a
 * skipped file as one skip.
 */
import { join } from 'node:path'
import { ensureDashboard } from './build-dashboard.mjs'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'
import { giveUp, runTool } from './run-tool.mjs'
import { runStaticChecks } from './static-checks.mjs'
import { chooseTestFiles, serversNeeded } from './test-files.mjs'
import { startTestServers } from './test-servers.mjs'

const args = process.argv.slice(2)
const filters = args.filter((arg) => arg !== '--servers')
const startsServers = filters.length < args.length || process.env.MINUTELY_TEST_SERVERS === '1'
const wanted = chooseTestFiles(filters)
if (wanted.files.length === 0 && wanted.unmet.length === 0) {
  giveUp(`no test file's path contains ${filters.join(' or ')}`)
}

const node = await ensureInstalled()
await ensureDashboard(node)

const totals = { passed: 0, failed: 0, skipped: 0 }
const notices = []
totals.failed += await runStaticChecks(node)

const servers = await startTestServers(startsServers ? serversNeeded(filters) : [])
const { files, unmet, environment } = chooseTestFiles(filters, servers)

for (const { kind, count, reason } of unmet) {
  const required = process.env.MINUTELY_TEST_REQUIRE_ALL === '1'
  totals[required ? 'failed' : 'skipped'] += count
  notices.push(`${required ? '✖ FAILED' : '﹣ SKIPPED'} ${count} ${kind} test file${count === 1 ? '' : 's'}: ${reason}`)
}

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

await servers.stop()

console.log('')
for (const notice of notices) console.log(notice)
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exitCode = totals.failed === 0 ? 0 : 1
