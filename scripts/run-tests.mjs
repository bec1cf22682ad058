/**
 * Runs the given test files, two at a time, each in a process of its own, and sends the counts to its parent.
 *
 * Counted are leaves: a suite, or a test with subtests, is not counted beside them, unless it fails for a reason of its
 * own (a hook, a time-out). Runs with the Node of node_modules.
 */
import { relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { root } from './clone.mjs'

const concurrency = 2
const fileTimeoutMs = 600_000

const counts = { passed: 0, failed: 0, skipped: 0 }
const skips = new Map()
/** For each file: nesting levels at which a test has ended whose parent has not. */
const openLevels = new Map()

const stream = run({ files: process.argv.slice(2), concurrency, timeout: fileTimeoutMs, cwd: root })
stream.on('test:pass', (event) => count(event, 'passed'))
stream.on('test:fail', (event) => count(event, 'failed'))
const report = stream.compose(new spec())
report.pipe(process.stdout)
report.on('end', () => {
  for (const [reason, names] of skips) console.log(`﹣ skipped ${names.length} (${reason}): ${names.join('; ')}`)
  process.exitCode = counts.failed === 0 ? 0 : 1
  process.send?.(counts, () => process.disconnect())
})

function count(event, outcome) {
  const levels = openLevels.get(event.file) ?? new Set()
  openLevels.set(event.file, levels)
  const hadChildren = levels.delete(event.nesting + 1)
  levels.add(event.nesting)
  const isSuite = event.details?.type === 'suite'
  if (event.skip !== undefined || event.todo !== undefined) {
    counts.skipped += 1
    noteSkip(event)
  } else if (outcome === 'failed') {
    if (event.details?.error?.failureType !== 'subtestsFailed') counts.failed += 1
  } else if (!isSuite && !hadChildren) {
    counts.passed += 1
  }
}

function noteSkip(event) {
  const given = [event.skip, event.todo].find((value) => typeof value === 'string' && value !== '')
  const reason = given ?? (event.todo === undefined ? 'no reason given' : 'to do')
  const file = event.file === undefined ? '' : `${relative(root, event.file)}: `
  skips.set(reason, [...(skips.get(reason) ?? []), `${file}${event.name}`])
}
