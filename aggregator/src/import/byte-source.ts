/**
 * Where history comes from: a file, or standard input, plain, gzip or zstd (told by its first bytes), as a stream of decompressed chunks
 * from any byte on. A plain file is opened there; what is compressed, or comes in a pipe, is read and skipped up to there.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Readable, Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'

/** Of the raw bytes: what a pipe is known by, and what the compression is told from. */
const headBytes = 65_536
/** Of a file, at its beginning and its end: what it is known by, with its size. */
const fingerprintBytes = 1_048_576

export interface ByteSource {
  readonly name: string
  /** Changes when the content does (of a large file: its size, beginning or end; of a pipe: its beginning). */
  readonly fingerprint: string
  /** Raw; undefined for a pipe. */
  readonly bytes: number | undefined
  /** Raw bytes that were read. */
  readonly readBytes: number
  /** The beginning of the content, decompressed: all of it, or at least what 64 KiB hold. */
  readonly head: Buffer
  /** To be called once. @throws SourceError */
  chunks(fromByte: number): AsyncIterable<Buffer>
  close(): Promise<void>
}

/** What cannot be read; the message is for the person who named it. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
}

type Compression = 'gzip' | 'zstd' | 'none'

/** `chunkBytes`: how much is read at once. */
export async function openFile(path: string, { chunkBytes }: { readonly chunkBytes: number }): Promise<ByteSource> {
  let file: FileHandle
  try {
    file = await open(path)
  } catch (cause) {
    throw new SourceError(`cannot open ${path}: ${(cause as Error).message}`, { cause })
  }
  const stat = await file.stat()
  if (!stat.isFile()) {
    await file.close()
    throw new SourceError(`${path} is no file; for a pipe write - and redirect it to standard input`)
  }
  const first = await readAt(file, 0, fingerprintBytes)
  const last = await readAt(file, Math.max(0, stat.size - fingerprintBytes), fingerprintBytes)
  await file.close()
  const compression = compressionOf(first)
  const counted = { bytes: 0 }
  const read = (start: number): AsyncIterable<Buffer> =>
    count(createReadStream(path, { start, highWaterMark: chunkBytes }), counted)
  return {
    name: path,
    fingerprint: hashOf(createHash('sha256').update(`file ${stat.size} `).update(first).update(last)),
    bytes: stat.size,
    get readBytes() {
      return counted.bytes
    },
    head: compression === 'none' ? first : await readHead(decompress(read(0), { compression, name: path }), counted),
    chunks: (fromByte) => {
      counted.bytes = compression === 'none' ? fromByte : 0
      if (compression === 'none') return read(fromByte)
      return skip(decompress(read(0), { compression, name: path }), fromByte)
    },
    close: async () => {},
  }
}

/** A pipe: read once, from its beginning. */
export async function openPipe(input: Readable): Promise<ByteSource> {
  const counted = { bytes: 0 }
  const raw = count(input, counted)[Symbol.asyncIterator]()
  const early: Buffer[] = []
  let earlyBytes = 0
  while (earlyBytes < headBytes) {
    const { value, done } = await raw.next()
    if (done === true) break
    early.push(value)
    earlyBytes += value.length
  }
  const first = Buffer.concat(early)
  const compression = compressionOf(first)
  const rest = async function* (): AsyncGenerator<Buffer> {
    yield first
    for (;;) {
      const { value, done } = await raw.next()
      if (done === true) return
      yield value
    }
  }
  const content = compression === 'none' ? rest() : decompress(rest(), { compression, name: 'standard input' })
  const { value } = await content.next()
  const head: Buffer = value ?? Buffer.alloc(0)
  const all = async function* (): AsyncGenerator<Buffer> {
    yield head
    yield* content
  }
  return {
    name: 'standard input',
    fingerprint: hashOf(createHash('sha256').update('pipe ').update(first.subarray(0, headBytes))),
    bytes: undefined,
    get readBytes() {
      return counted.bytes
    },
    head,
    chunks: (fromByte) => skip(all(), fromByte),
    close: async () => void input.destroy(),
  }
}

function hashOf(hash: Hash): string {
  return hash.digest('hex')
}

function compressionOf(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'none'
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(length), position, length })
  return buffer.subarray(0, bytesRead)
}

async function readHead(content: AsyncGenerator<Buffer>, counted: { bytes: number }): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of content) {
    parts.push(part)
    if (parts.reduce((sum, { length }) => sum + length, 0) >= headBytes) break
  }
  counted.bytes = 0
  return Buffer.concat(parts)
}

async function* count(raw: AsyncIterable<Buffer>, counted: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const chunk of raw) {
    counted.bytes += chunk.length
    yield chunk
  }
}

async function* skip(content: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes
  for await (const chunk of content) {
    if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
  if (left > 0) throw new SourceError(`it ends ${left} bytes before the place up to which it was imported`)
}

interface Compressed {
  readonly compression: Exclude<Compression, 'none'>
  readonly name: string
}

async function* decompress(raw: AsyncIterable<Buffer>, about: Compressed): AsyncGenerator<Buffer> {
  const { compression, name } = about
  const inflater = compression === 'gzip' ? createGunzip() : createZstdDecompress()
  const fed = feed(raw, inflater)
  try {
    for await (const chunk of inflater as AsyncIterable<Buffer>) yield chunk
  } catch (cause) {
    throw new SourceError(`${name} is not ${compression}, or not all of it: ${(cause as Error).message}`, { cause })
  }
  const rawBytes = await fed
  // Node reads the first frame and is silent about the rest.
  if (compression === 'zstd' && inflater.bytesWritten < rawBytes) {
    throw new SourceError(
      `${name} has more than one zstd frame, of which only the first could be read: use zstd -dc ${name} | npm run import -- -`,
    )
  }
}

/** @returns the bytes that it was given. */
async function feed(raw: AsyncIterable<Buffer>, inflater: Transform): Promise<number> {
  let bytes = 0
  try {
    for await (const chunk of raw) {
      if (inflater.destroyed) break
      bytes += chunk.length
      if (!inflater.write(chunk) && !inflater.destroyed) await drained(inflater)
    }
    inflater.end()
  } catch (error) {
    inflater.destroy(error as Error)
  }
  return bytes
}

function drained(inflater: Transform): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['drain', 'close', 'end']) inflater.once(event, resolve)
  })
}
