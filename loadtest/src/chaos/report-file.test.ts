import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertWritable, reportHead } from './report-file.ts'

test('a report that cannot be written is refused before the run, and one that is there stays', () => {
  const folder = mkdtempSync(join(tmpdir(), 'minutely-report-'))
  try {
    assert.throws(() => assertWritable(join(folder, 'none', 'x.md')), /--report .*x\.md: cannot be written \(ENOENT/)
    assert.throws(() => assertWritable(folder), /cannot be written \(EISDIR/)
    writeFileSync(join(folder, 'old.md'), 'old')
    assertWritable(join(folder, 'old.md'))
    assert.equal(readFileSync(join(folder, 'old.md'), 'utf8'), 'old')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the head of a report has the command to repeat it', () => {
  const { command, nodeVersion, cores } = reportHead(['--seed', '7'])
  assert.deepEqual([command, nodeVersion], ['npm run chaos -- --seed 7', process.version])
  assert.ok(cores >= 1)
})
