/**
 * Looks over JSON bytes before JSON.parse does: what JSON.parse builds can be 15 times the size of its text (4 million
 * empty arrays, a million different keys), and nothing in it can be asked to stop. One linear pass, no recursion, no
 * allocation per byte; strings are skipped, escapes included. Whether the text is JSON at all is not judged here.
 *
 * The limits keep what any 8 MiB body adds to the process' memory below 64 MiB (routes-memory.test.ts: 61 MiB at most):
 * - depth: the wire shapes need 4; 8 leaves room for a mistake inside one sample, which must not cost its neighbours.
 * - containers: a row is one, or two with labels; 8 MiB hold at most 140,000 rows of 60 bytes.
 * - elements (commas): a row without labels has 4. Columns thus end at 500,000 values a request.
 * - different keys: the wire has 9, the rest is label names. A million different keys cost 135 MiB. Counted as bits of a
 *   table set by a hash with a seed of this process, so it is a little less than exact, and hard to steer.
 */
import { randomBytes } from 'node:crypto'

export interface JsonExcess {
  readonly kind: 'depth' | 'containers' | 'elements' | 'keys'
  readonly max: number
  /** Byte at which the limit was passed. */
  readonly position: number
}

export const jsonLimits = { depth: 8, containers: 150_000, elements: 500_000, keys: 10_000 } as const

const keyTableBits = 17
const hashSeed = randomBytes(4).readInt32LE()
const fnvPrime = 0x01000193

const quote = 0x22
const backslash = 0x5c

/** What a byte outside strings means here; 0 for the many that mean nothing. */
const isOther = 0
const isQuote = 1
const isComma = 2
const isColon = 3
const isOpening = 4
const isClosing = 5
const meanings = new Uint8Array(256)
for (const [meaning, bytes] of ['', '"', ',', ':', '{[', '}]'].entries()) {
  for (const byte of Buffer.from(bytes)) meanings[byte] = meaning
}

/** Null when the text is within the limits. */
export function findJsonExcess(text: Uint8Array): JsonExcess | null {
  const keyTable = new Uint8Array((1 << keyTableBits) / 8)
  let depth = 0
  let containers = 0
  let elements = 0
  let keys = 0
  /** Of the last string, without its quotes. */
  let stringStart = 0
  let stringEnd = 0
  for (let at = 0; at < text.length; at++) {
    const meaning = meanings[text[at] as number]
    if (meaning === isOther) continue
    if (meaning === isQuote) {
      stringStart = at + 1
      for (at++; at < text.length && text[at] !== quote; at++) if (text[at] === backslash) at++
      stringEnd = Math.min(at, text.length)
    } else if (meaning === isComma) {
      if (++elements > jsonLimits.elements) return excess('elements', at)
    } else if (meaning === isColon) {
      const slot = hashOf(text, stringStart, stringEnd)
      // A row of colons must not hash a long string again and again.
      stringStart = stringEnd
      const seen = keyTable[slot >> 3] as number
      if ((seen & (1 << (slot & 7))) !== 0) continue
      keyTable[slot >> 3] = seen | (1 << (slot & 7))
      if (++keys > jsonLimits.keys) return excess('keys', at)
    } else if (meaning === isOpening) {
      if (++containers > jsonLimits.containers) return excess('containers', at)
      if (++depth > jsonLimits.depth) return excess('depth', at)
    } else if (meaning === isClosing) {
      depth--
    }
  }
  return null
}

function hashOf(text: Uint8Array, start: number, end: number): number {
  let hash = hashSeed
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (text[at] as number), fnvPrime)
  return (hash ^ (hash >>> keyTableBits)) & ((1 << keyTableBits) - 1)
}

function excess(kind: JsonExcess['kind'], position: number): JsonExcess {
  return { kind, max: jsonLimits[kind], position }
}
