/**
 * All bodies of a run in one file, one after the other in the order of sending, made before anything is measured: ten minutes at
 * a million samples a second are a gigabyte, too much for a process that should not disturb. Their lengths stay in memory, 4 bytes
 * each. Reading keeps a piece ahead of what is sent, `pieceBytes` each, so at most two.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

const pieceBytes = 8_388_608

export interface BodyFile {
  readonly path: string
  readonly lengths: Uint32Array
}

/** `body`: of one index, counted from 0. */
export function writeBodyFile(
  path: string,
  { count, body }: { count: number; body: (index: number) => Buffer },
): BodyFile {
  const lengths = new Uint32Array(count)
  const descriptor = openSync(path, 'w')
  try {
    for (let index = 0; index < count; index++) {
      const bytes = body(index)
      lengths[index] = bytes.length
      for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written)
    }
  } finally {
    closeSync(descriptor)
  }
  return { path, lengths }
}

/** One body after the other, from `fromIndex` on. */
export async function* readBodies({ path, lengths }: BodyFile, fromIndex = 0): AsyncGenerator<Buffer> {
  const file = await open(path, 'r')
  try {
    let offset = lengths.subarray(0, fromIndex).reduce((sum, length) => sum + length, 0)
    let index = fromIndex
    let next = readPiece(file, { lengths, index, offset })
    while (index < lengths.length) {
      const { bytes, count } = await next
      offset += bytes.length
      next = readPiece(file, { lengths, index: index + count, offset })
      next.catch(() => {})
      let at = 0
      for (const end = index + count; index < end; index++) {
        const length = lengths[index] ?? 0
        yield bytes.subarray(at, at + length)
        at += length
      }
    }
  } finally {
    await file.close()
  }
}

async function readPiece(
  file: FileHandle,
  { lengths, index, offset }: { lengths: Uint32Array; index: number; offset: number },
): Promise<{ bytes: Buffer; count: number }> {
  let length = 0
  let count = 0
  for (; index + count < lengths.length && (length < pieceBytes || count === 0); count++)
    length += lengths[index + count] ?? 0
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
    if (bytesRead === 0)
      throw new Error(`${filled} of ${length} bytes at ${offset}: somebody cut the file of bodies short`)
    filled += bytesRead
  }
  return { bytes, count }
}
