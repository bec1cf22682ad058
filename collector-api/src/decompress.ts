/**
 * Content-Encoding to plain bytes, bounded: a body decodes to at most decodedBytesMax, and to at most decodedRatioMax
 * times its compressed size unless that is below 1 MiB (short bodies of constant data compress 200:1 and more, and
 * mean no harm). Output is counted chunk by chunk, so never more than the bound and one chunk exist.
 *
 * Small bodies are decoded on this thread: 65 us for 11 KB of gzip against 135 us through the thread pool (measured). A
 * body of syncBytesMax can decode to 1.6 MiB at most, about 5 ms; larger ones go to the pool. What they decode to is one
 * allocation of about its size where the frame says how much it is, since the matrix in it lives on as a view of it.
 */
import { constants, createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { ByteLease } from './byte-budget.ts'
import { overload } from './overload.ts'

export interface DecompressDeps {
  readonly decodedBytesMax: number
  readonly decodedRatioMax: number
  readonly lease: ByteLease
  readonly random: () => number
}

export type ContentEncoding = 'gzip' | 'zstd' | 'identity'

const ratioFreeBytes = 1_048_576
const syncBytesMax = 32_768
const chunkSize = 65_536
/** The decoder allocates whole chunks; 64 KiB for a body of 500 bytes would be mostly garbage. */
const smallestChunkSize = 4_096
const usualRatio = 8
/** zlib begins another chunk as soon as one is full. */
const spareBytes = 16
/** A zstd frame names the window its decoder must allocate: up to 2 GiB if we let it. 2^23 = 8 MiB, as RFC 8878 recommends. */
const zstdParams = { [constants.ZSTD_d_windowLogMax]: 23 }

/** @throws ApiError content-encoding-unsupported. */
export function contentEncoding(header: string | undefined): ContentEncoding {
  const name = header?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return 'identity'
  if (name === 'gzip' || name === 'zstd') return name
  throw new ApiError(
    'content-encoding-unsupported',
    `Content-Encoding ${JSON.stringify(name.slice(0, 100))} is not known: send one of gzip, zstd, identity, once`,
  )
}

/** @throws ApiError body-too-large, body-not-decompressible, or overloaded. */
export async function decompress(body: Buffer, encoding: ContentEncoding, deps: DecompressDeps): Promise<Buffer> {
  const bytesMax = Math.min(deps.decodedBytesMax, Math.max(ratioFreeBytes, body.length * deps.decodedRatioMax))
  if (encoding === 'identity') {
    if (body.length > deps.decodedBytesMax) throw tooLarge(body.length, deps.decodedBytesMax)
    return held(body, deps)
  }
  if (body.length <= syncBytesMax) return held(decompressSync(body, encoding, bytesMax), deps)
  return decompressInPool(body, encoding, bytesMax, deps)
}

function held(decoded: Buffer, deps: DecompressDeps): Buffer {
  if (!deps.lease.grow(decoded.length)) throw decodingTooMuch(deps)
  return decoded
}

function decompressSync(body: Buffer, encoding: 'gzip' | 'zstd', bytesMax: number): Buffer {
  const said = encoding === 'zstd' ? zstdContentBytes(body) : undefined
  const guess = said === undefined ? body.length * usualRatio : Math.min(said, bytesMax) + spareBytes
  const chunkBytes = Math.max(smallestChunkSize, said === undefined ? Math.min(chunkSize, guess) : guess)
  const options = { maxOutputLength: bytesMax, chunkSize: chunkBytes }
  try {
    return encoding === 'gzip'
      ? gunzipSync(body, options)
      : zstdDecompressSync(body, { ...options, params: zstdParams })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(body.length, bytesMax)
    throw notDecompressible(encoding, error)
  }
}

/**
 * How long the content of a zstd frame is by its header, which may lie (RFC 8878, section 3.1.1.1); undefined when it does not say.
 *
 *     28 B5 2F FD | descriptor: FCS flag (2 bits), single segment (1), ..., dictionary flag (2) | [window] | dictionary id | size
 */
export function zstdContentBytes(frame: Buffer): number | undefined {
  const descriptor = frame[4] ?? 0
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  const at = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0)
  if (sizeBytes === 0 || at + sizeBytes > frame.length) return undefined
  if (sizeBytes === 8) return Number(frame.readBigUInt64LE(at))
  return frame.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
}

function decompressInPool(
  body: Buffer,
  encoding: 'gzip' | 'zstd',
  bytesMax: number,
  deps: DecompressDeps,
): Promise<Buffer> {
  const decoder =
    encoding === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize, params: zstdParams })
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const refuse = (error: Error): void => {
      chunks.length = 0
      reject(error)
      decoder.destroy()
    }
    decoder.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > bytesMax) return refuse(tooLarge(body.length, bytesMax))
      if (!deps.lease.grow(chunk.length)) return refuse(decodingTooMuch(deps))
      chunks.push(chunk)
    })
    decoder.once('end', () => resolve(Buffer.concat(chunks, bytes)))
    decoder.once('error', (error) => refuse(notDecompressible(encoding, error)))
    decoder.end(body)
  })
}

function tooLarge(compressedBytes: number, bytesMax: number): ApiError {
  return new ApiError(
    'body-too-large',
    `The body (${compressedBytes} bytes as sent) decodes to more than ${bytesMax} bytes, the limit for its size: send it in parts`,
  )
}

function notDecompressible(encoding: string, cause: unknown): ApiError {
  return new ApiError(
    'body-not-decompressible',
    `The body is not ${encoding}, or not all of it: ${(cause as Error).message}. Its Content-Encoding says ${encoding}`,
    { cause },
  )
}

function decodingTooMuch(deps: DecompressDeps): ApiError {
  return overload('overloaded', 'Too many bodies are being decoded at once; retry later', deps)
}
