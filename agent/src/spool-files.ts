/**
 * The files of the spool: a port as small as a disk can be asked for, and the folder that it is. Files are only appended to,
 * read, and removed; names are flat. Every method may throw what the disk says (an error with a `code`: ENOSPC, EIO, EACCES),
 * and an append that throws may have written any part of its bytes.
 *
 * Appends are synchronous: a second's samples are in the page cache, safe from kill -9, before the next line runs, which costs
 * about 0.05 ms. What a power cut may take is what was not synced, and that runs on a thread.
 *
 * One process per folder: a lock of the operating system that ends with its owner (lib/src/postgres/data-folder-lock.ts).
 * What a host measures is nobody else's: files are readable to the account of the agent only, and so is a folder in which
 * nothing else lies.
 */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  fchownSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { lockDataFolder } from '@minutely/lib/postgres/data-folder-lock'

export interface SpoolFile {
  readonly name: string
  readonly bytes: number
}

/** Numbered by us, oldest first; whatever else lies in the folder is left alone. */
export const spoolFilePattern = /^(\d{10})\.(segment|acked|cell)$/

export interface SpoolFiles {
  /** Those with names of ours, in any order. */
  list(): SpoolFile[]
  /** At the end of the file, which is made if there is none. */
  append(name: string, bytes: Uint8Array): void
  /** The bytes of the range that the file has. */
  read(name: string, range: { readonly offset: number; readonly length: number }): Buffer
  remove(name: string): void
  /** Resolves when what was appended survives a power cut. */
  sync(name: string): Promise<void>
}

export interface SpoolFolder extends SpoolFiles {
  /** Lets another process have the folder. */
  release(): Promise<void>
}

/** @throws FolderInUseError when another process has the folder; what the disk says when it cannot be made or locked. */
export async function openSpoolFolder(dir: string, { setting }: { setting: string }): Promise<SpoolFolder> {
  const lock = await lockDataFolder(dir, { owner: 'agent', setting, noun: 'spool folder' })
  try {
    closeToOthers(dir)
    return { ...folderFiles(dir), release: () => lock.release() }
  } catch (error) {
    await lock.release()
    throw error
  }
}

const ownFilePattern = /^(\d{10}\.(segment|acked|cell)|minutely\.(lock|pid))$/

/** Also what an earlier version left open. A folder that others share stays as it is: its files are closed all the same. */
function closeToOthers(dir: string): void {
  const names = readdirSync(dir)
  try {
    if (names.every((name) => ownFilePattern.test(name))) chmodSync(dir, 0o700)
    for (const name of names) if (spoolFilePattern.test(name)) chmodSync(join(dir, name), 0o600)
  } catch (error) {
    // Another account's folder, or a file system without modes: that must not keep samples from being kept.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error
  }
}

function folderFiles(dir: string): SpoolFiles {
  // One run with sudo must not keep the folder's owner from its samples afterwards.
  const folderOwner = process.getuid?.() === 0 && statSync(dir).uid !== 0 ? statSync(dir) : undefined
  return {
    list: () =>
      readdirSync(dir, { withFileTypes: true })
        .filter((entry) => entry.isFile() && spoolFilePattern.test(entry.name))
        .map(({ name }) => ({ name, bytes: statSync(join(dir, name)).size })),
    append(name, bytes) {
      const file = openSync(join(dir, name), 'a', 0o600)
      try {
        if (folderOwner !== undefined && fstatSync(file).size === 0) fchownSync(file, folderOwner.uid, folderOwner.gid)
        appendFileSync(file, bytes)
      } finally {
        closeSync(file)
      }
    },
    read(name, { offset, length }) {
      const file = openSync(join(dir, name), 'r')
      try {
        const bytes = Buffer.allocUnsafe(length)
        let filled = 0
        let count = -1
        while (filled < length && count !== 0) {
          count = readSync(file, bytes, filled, length - filled, offset + filled)
          filled += count
        }
        return bytes.subarray(0, filled)
      } finally {
        closeSync(file)
      }
    },
    remove: (name) => rmSync(join(dir, name), { force: true }),
    async sync(name) {
      const file = await open(join(dir, name), 'r+')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
    },
  }
}
