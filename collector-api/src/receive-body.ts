/**
 * Collects a request's body as it arrives, compressed, within two bounds: of one body, and of all bodies being received
 * (a thousand slow senders must not add up to gigabytes). How long a sender may take is the HTTP server's business.
 *
 * On refusal the rest of the stream is discarded rather than the socket cut: a client that is still writing would
 * otherwise see a reset connection instead of the answer.
 */
import type { IncomingMessage } from 'node:http'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { ByteLease } from './byte-budget.ts'
import { overload } from './overload.ts'

export interface ReceiveDeps {
  readonly bodyBytesMax: number
  readonly lease: ByteLease
  readonly random: () => number
}

export function receiveBody(stream: IncomingMessage, deps: ReceiveDeps): Promise<Buffer> {
  const promised = Number(stream.headers['content-length'] ?? 0)
  if (promised > deps.bodyBytesMax) {
    stream.resume()
    return Promise.reject(tooLarge(`${promised} bytes`, deps.bodyBytesMax))
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const refuse = (error: Error): void => {
      stream.off('data', onData)
      stream.resume()
      chunks.length = 0
      reject(error)
    }
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > deps.bodyBytesMax) refuse(tooLarge(`more than ${deps.bodyBytesMax} bytes`, deps.bodyBytesMax))
      else if (deps.lease.grow(chunk.length)) chunks.push(chunk)
      else refuse(overload('overloaded', 'Too many bodies are being received at once; retry later', deps))
    }
    stream.on('data', onData)
    stream.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    stream.once('error', () => refuse(brokenOff(bytes)))
    // Also after the end, where an error, with its stack, would be made for nothing on every request.
    stream.once('close', () => {
      if (!stream.complete) refuse(brokenOff(bytes))
    })
  })
}

function tooLarge(size: string, bodyBytesMax: number): ApiError {
  return new ApiError(
    'body-too-large',
    `The body has ${size}, the limit is ${bodyBytesMax}: send it in parts or compress it`,
  )
}

/** Nobody reads this answer; it ends the request and its lease. */
function brokenOff(bytes: number): ApiError {
  return new ApiError('request-invalid', `The connection closed after ${bytes} bytes of the body`)
}
