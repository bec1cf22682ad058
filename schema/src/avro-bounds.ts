/**
 * Walks Avro binary without building anything, so that bytes of a stranger can be refused before a decoder believes
 * them: an array's claimed length costs 5 bytes to write and, believed, gigabytes to build (avsc loops over whatever
 * number it reads, past the end of the bytes too).
 *
 * Knows the types our schemas use: string, bytes, int, long, record, array. Recursion follows the schema, never the
 * data. Layout: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */
interface Cursor {
  readonly bytes: Uint8Array
  readonly itemsMax: number
  at: number
  items: number
}

/** Items of all arrays within the bytes, nested ones included. */
export type AvroWalk = (bytes: Uint8Array, itemsMax: number) => number

/** A 64-bit varint has at most 10 bytes. */
const varintBytesMax = 10

/** The returned walk throws an Error that says where, for bytes that end early, go on after their end, or hold more items. */
export function compileAvroWalk(schema: unknown): AvroWalk {
  const skip = compile(schema)
  return (bytes, itemsMax) => {
    const cursor: Cursor = { bytes, itemsMax, at: 0, items: 0 }
    skip(cursor)
    if (cursor.at !== bytes.length) throw new Error(`${bytes.length - cursor.at} bytes follow the end`)
    return cursor.items
  }
}

function compile(schema: unknown): (cursor: Cursor) => void {
  if (schema === 'long') return readLong
  if (schema === 'int') return readInt
  if (schema === 'string' || schema === 'bytes') return skipBytes
  const { type, fields, items } = schema as { type: unknown; fields?: { type: unknown }[]; items?: unknown }
  if (type === 'record' && fields !== undefined) {
    const skips = fields.map((field) => compile(field.type))
    return (cursor) => {
      for (const skip of skips) skip(cursor)
    }
  }
  if (type === 'array') return arrayOf(compile(items))
  throw new Error(`BUG: avro-bounds does not know the type ${JSON.stringify(schema)}`)
}

function arrayOf(skipItem: (cursor: Cursor) => void): (cursor: Cursor) => void {
  return (cursor) => {
    for (let count = readLong(cursor); count !== 0; count = readLong(cursor)) {
      // A negative count is followed by the size of the block in bytes, which a reader may use to skip it; we do not.
      if (count < 0) readLong(cursor)
      cursor.items += Math.abs(count)
      if (cursor.items > cursor.itemsMax) throw new Error(`it claims more than ${cursor.itemsMax} items`)
      for (let left = Math.abs(count); left > 0; left--) skipItem(cursor)
    }
  }
}

function skipBytes(cursor: Cursor): void {
  const length = readLong(cursor)
  if (length < 0 || length > cursor.bytes.length - cursor.at) {
    throw new Error(
      `a length of ${length} at byte ${cursor.at} exceeds the ${cursor.bytes.length - cursor.at} that follow`,
    )
  }
  cursor.at += length
}

/** avsc reads any varint as an int, and refuses to write it again: by then it stands among other senders' samples. */
function readInt(cursor: Cursor): void {
  const value = readLong(cursor)
  if (value < -(2 ** 31) || value >= 2 ** 31)
    throw new Error(`the int before byte ${cursor.at} is ${value}, beyond 32 bits`)
}

/** Zigzag varint; beyond 2^53 only roughly right, which every check above refuses anyway. */
function readLong(cursor: Cursor): number {
  let value = 0
  let scale = 1
  for (let count = 0; count < varintBytesMax; count++) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) throw new Error(`it ends within a number, at byte ${cursor.bytes.length}`)
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value % 2 === 1 ? -(value + 1) / 2 : value / 2
    scale *= 128
  }
  throw new Error(`a number at byte ${cursor.at - varintBytesMax} is longer than ${varintBytesMax} bytes`)
}
