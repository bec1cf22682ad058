/** The files of this repository as text, for the rules that a machine can check. Paths are relative to the root, with `/`. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** A folder with a package.json of its own. */
export const workspaces: readonly string[] = (JSON.parse(read('package.json')) as { workspaces: string[] }).workspaces

const ignoredFolders = new Set(['node_modules', 'dist', 'data', 'results'])

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** All files below a folder ('' for the root), in the order of their paths. Hidden ones are left out. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !ignoredFolders.has(name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      return entry.isDirectory() ? filesBelow(path) : [path]
    })
    .sort()
}

export interface SourceFile {
  readonly path: string
  readonly text: string
  /** The text without its comments; lines keep their numbers. */
  readonly code: string
  /** The folder it lies in: `agent`, `scripts` ... */
  readonly area: string
  /** A test, or only there for tests. */
  readonly isTest: boolean
}

export function sourceFiles(): SourceFile[] {
  return filesBelow('')
    .filter((path) => /\.(ts|tsx|mjs)$/.test(path))
    .map((path) => {
      const text = read(path)
      return { path, text, code: withoutComments(text), area: path.split('/')[0] ?? '', isTest: isTest(path) }
    })
}

/** What a file imports, statically or on demand. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** `import type ...`: erased before it runs. */
  readonly isTypeOnly: boolean
}

export function importsOf({ code }: SourceFile): Import[] {
  const pattern = /(?:\b(import|export)\s+(type\s+)?(?:[^'"`;()]*?\sfrom\s+)?|\bimport\()\s*['"]([^'"]+)['"]/g
  return [...code.matchAll(pattern)].map((match) => ({
    specifier: match[3] ?? '',
    line: lineAt(code, match.index),
    isTypeOnly: match[2] !== undefined,
  }))
}

/** `path:line` of each place where the pattern matches. */
export function placesOf(file: SourceFile, pattern: RegExp, where: 'code' | 'text' = 'code'): string[] {
  return [...file[where].matchAll(new RegExp(pattern, 'g'))].map(
    (match) => `${file.path}:${lineAt(file[where], match.index)}`,
  )
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

function isTest(path: string): boolean {
  return /\.test\.ts$|-contract\.ts$|\/test\/|\/test-[a-z-]+\.ts$/.test(path)
}

/** Block comments and lines that are a comment as a whole; a comment behind code stays, which no rule minds. */
function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/^[ \t]*\/\/.*$/gm, '')
}
