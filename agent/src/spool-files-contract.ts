/** What every implementation of SpoolFiles promises; run against a folder and against the simulated one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SpoolFiles } from './spool-files.ts'

export interface OpenedSpoolFiles {
  readonly files: SpoolFiles
  readonly close: () => Promise<void>
}

const names = (files: SpoolFiles): string[] =>
  files
    .list()
    .map(({ name, bytes }) => `${name} ${bytes}`)
    .sort()

export function spoolFilesContract(implementation: string, open: () => Promise<OpenedSpoolFiles>): void {
  const withFiles = (body: (files: SpoolFiles) => void | Promise<void>) => async () => {
    const { files, close } = await open()
    await body(files)
    await close()
  }

  describe(`SpoolFiles: ${implementation}`, () => {
    it(
      'appends to the end, makes files, and lists them with their sizes',
      withFiles((files) => {
        assert.deepEqual(names(files), [])
        files.append('0000000001.segment', Buffer.from('abc'))
        files.append('0000000002.cell', Buffer.alloc(0))
        files.append('0000000001.segment', Buffer.from('defg'))
        assert.deepEqual(names(files), ['0000000001.segment 7', '0000000002.cell 0'])
        assert.equal(String(files.read('0000000001.segment', { offset: 0, length: 7 })), 'abcdefg')
      }),
    )

    it(
      'reads the part of a range that there is',
      withFiles((files) => {
        files.append('0000000001.segment', Buffer.from('abcdefg'))
        assert.equal(String(files.read('0000000001.segment', { offset: 2, length: 3 })), 'cde')
        assert.equal(String(files.read('0000000001.segment', { offset: 5, length: 10 })), 'fg')
        assert.equal(files.read('0000000001.segment', { offset: 9, length: 10 }).length, 0)
        assert.throws(() => files.read('0000000009.segment', { offset: 0, length: 1 }), { code: 'ENOENT' })
      }),
    )

    it(
      'removes a file, and one that is not there',
      withFiles((files) => {
        files.append('0000000001.acked', Buffer.from('abc'))
        files.remove('0000000001.acked')
        files.remove('0000000001.acked')
        assert.deepEqual(names(files), [])
      }),
    )

    it(
      'syncs what was appended',
      withFiles(async (files) => {
        files.append('0000000001.segment', Buffer.from('abc'))
        await files.sync('0000000001.segment')
        assert.deepEqual(names(files), ['0000000001.segment 3'])
      }),
    )
  })
}
