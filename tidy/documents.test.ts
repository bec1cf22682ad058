/** The rules for documents that a machine can check: what they name exists, what is generated is current. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { test } from 'node:test'
import { errorCatalogue } from '@minutely/schema/error-catalogue'
import { settingsByName, tablesOf, withCurrentTables } from '../scripts/docs-settings.ts'
import { filesBelow, lineAt, read, root } from './repository.ts'

interface Document {
  readonly path: string
  readonly text: string
}

const documents: readonly Document[] = filesBelow('')
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: read(path) }))

function expectNone(problems: readonly string[], rule: string): void {
  assert.ok(problems.length === 0, `${rule}\n  ${problems.join('\n  ')}`)
}

test('links between documents and to files lead somewhere', () => {
  const problems = documents.flatMap((document) => {
    const prose = withoutCode(document.text)
    return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(({ 1: target = '', index }) => {
      if (/^[a-z]+:/.test(target)) return []
      const [file = '', anchor] = target.split('#')
      const path = file === '' ? document.path : posix.join(posix.dirname(document.path), file)
      const place = `${document.path}:${lineAt(prose, index)} -> ${target}`
      if (!existsSync(join(root, path))) return [`${place}: there is no ${path}`]
      if (anchor === undefined || !path.endsWith('.md')) return []
      return anchorsOf(read(path)).has(anchor) ? [] : [`${place}: ${path} has no such heading`]
    })
  })
  expectNone(problems, 'Mend these links:')
})

test('every error id is explained in docs/errors.md, and nothing else is', () => {
  const ids = Object.keys(errorCatalogue)
  const explained = headingsOf(read('docs/errors.md'), '##')
  const problems = [
    ...ids.filter((id) => !explained.includes(id)).map((id) => `docs/errors.md lacks "## ${id}"`),
    ...explained.filter((id) => !ids.includes(id)).map((id) => `schema/src/error-catalogue.ts has no '${id}'`),
  ]
  expectNone(problems, 'An error is a line in the catalogue and a section in the document:')
})

test('settings tables are current (npm run docs)', () => {
  const stale = documents.filter(({ text }) => withCurrentTables(text) !== text).map(({ path }) => path)
  expectNone(stale, 'Run npm run docs, which writes the tables of these anew:')
})

test('every setting stands in exactly one table', () => {
  const tables = documents.flatMap(({ text }) => tablesOf(text))
  const problems = [...settingsByName.keys()]
    .map((name) => ({ name, count: tables.filter((table) => table === name).length }))
    .filter(({ count }) => count !== 1)
    .map(({ name, count }) => `settings:${name} stands in ${count} documents`)
  expectNone(problems, 'Put <!-- settings:<name> --> <!-- /settings --> into one README.md, then npm run docs:')
})

/**
 * A promise names its tests as a link to the file, then their names in curly quotes:
 * `*Enforced by:* [x.test.ts](lib/src/x.test.ts) “a name”, “another one”`.
 */
for (const path of ['ARCHITECTURE.md', 'docs/guarantees.md']) {
  test(`every test that ${path} names exists`, () =>
    expectNone(misnamedTests(path), 'Name tests as they are called today:'))
}

function misnamedTests(path: string): string[] {
  const text = read(path)
  const problems: string[] = []
  // A row of a table is a paragraph of its own.
  for (const paragraph of text.split(/\n\s*\n|\n(?=\|)/)) {
    let file: string | undefined
    for (const { 1: target, 2: quoted } of paragraph.matchAll(/\]\(([^)]+)\)|“([^”]+)”/g)) {
      if (target !== undefined) file = posix.join(posix.dirname(path), target)
      const name = quoted?.replaceAll(/\s+/g, ' ')
      if (name === undefined) continue
      const line = `${path}:${lineAt(text, text.indexOf(quoted ?? ''))}`
      if (file === undefined || !existsSync(join(root, file)))
        problems.push(`${line}: “${name}” follows no link to a file`)
      else if (!testNamesOf(read(file)).some((pattern) => pattern.test(name)))
        problems.push(`${line}: ${file} has no test “${name}”`)
    }
    if (/\*Enforced by:\*/.test(paragraph) && file === undefined) problems.push(`no test in: ${paragraph.slice(0, 80)}`)
  }
  return problems
}

/** What stands in a test's place as its name; a `${...}` in it may be anything. */
function testNamesOf(code: string): RegExp[] {
  const pattern = /\b(?:test|it|describe)\(\s*(['"`])((?:(?!\1)[^\\]|\\.)*)\1/g
  return [...code.matchAll(pattern)].map(({ 2: name = '' }) => {
    const parts = name.replaceAll(/\\(.)/g, '$1').split(/\$\{[^}]*\}/)
    return new RegExp(`^${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.+')}$`)
  })
}

test('decisions are numbered without gaps', () => {
  const names = filesBelow('docs/decisions').map((path) => posix.basename(path))
  const problems = names.filter((name, index) => !name.startsWith(`${String(index + 1).padStart(4, '0')}-`))
  expectNone(problems, 'Give each decision the next number:')
})

function headingsOf(text: string, level: string): string[] {
  return withoutCode(text)
    .split('\n')
    .filter((line) => line.startsWith(`${level} `))
    .map((line) => line.slice(level.length).trim())
}

/** As GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const headings = ['#', '##', '###', '####'].flatMap((level) => headingsOf(text, level))
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** Fenced blocks and code spans blanked; lines keep their numbers. */
function withoutCode(text: string): string {
  return text
    .replaceAll(/^```[\s\S]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/`[^`\n]*`/g, (span) => span.replaceAll(/[[\]()]/g, ' '))
}
