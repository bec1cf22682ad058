/**
 * Walks Avro binary without building anything, so that bytes of a stranger can be refused before a decoder believes
 * them: an array's claimed length costs 5 bytes to write and, believed, gigabytes to build (avsc loops over whatever
 * number it reads, past the end of the bytes too).
 *
 * Knows every type of Avro, since a newer writer's schema may use any; but no schema that contains itself, so that
 * recursion follows the schema, never the data. Layout: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */
import { schemaFullName } from './schema-fingerprint.ts'

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

/**
 * The returned walk throws an Error that says where, for bytes that end early, go on after their end, or hold more items.
 * @throws Error for a schema that contains itself or has an unknown type.
 */
export function compileAvroWalk(schema: unknown): AvroWalk {
  const skip = compile(schema, { namespace: '', named: new Map() })
  return (bytes, itemsMax) => {
    const cursor: Cursor = { bytes, itemsMax, at: 0, items: 0 }
    skip(cursor)
    if (cursor.at !== bytes.length) throw new Error(`${bytes.length - cursor.at} bytes follow the end`)
    return cursor.items
  }
}

type Skip = (cursor: Cursor) => void

interface Scope {
  readonly namespace: string
  /** undefined while the type is being compiled: a reference to it then is a recursion. */
  readonly named: Map<string, Skip | undefined>
}

interface ComplexSchema {
  readonly type: unknown
  readonly name?: string
  readonly namespace?: string
  readonly fields?: readonly { readonly type: unknown }[]
  readonly items?: unknown
  readonly values?: unknown
  readonly symbols?: readonly string[]
  readonly size?: number
}

function compile(schema: unknown, scope: Scope): Skip {
  if (typeof schema === 'string') return primitives[schema] ?? reference(schema, scope)
  if (Array.isArray(schema)) return branchOf(schema.map((branch) => compile(branch, scope)))
  const complex = schema as ComplexSchema
  if (complex.type === 'array') return arrayOf(compile(complex.items, scope))
  if (complex.type === 'map') {
    const skipValue = compile(complex.values, scope)
    return arrayOf((cursor) => {
      skipBytes(cursor)
      skipValue(cursor)
    })
  }
  if (complex.name === undefined) return compile(complex.type, scope)
  const name = schemaFullName(complex.name, complex.namespace ?? scope.namespace)
  scope.named.set(name, undefined)
  const skip = compileNamed(complex, { ...scope, namespace: name.slice(0, Math.max(0, name.lastIndexOf('.'))) })
  scope.named.set(name, skip)
  return skip
}

function compileNamed({ type, fields, symbols, size = 0 }: ComplexSchema, scope: Scope): Skip {
  if (type === 'record' && fields !== undefined) {
    const skips = fields.map((field) => compile(field.type, scope))
    return (cursor) => {
      for (const skip of skips) skip(cursor)
    }
  }
  if (type === 'enum' && symbols !== undefined) return branchOf(symbols.map(() => () => {}))
  if (type === 'fixed') return (cursor) => skip(cursor, size)
  throw new Error(`avro-bounds does not know the type ${JSON.stringify(type)}`)
}

function reference(name: string, { namespace, named }: Scope): Skip {
  const full = schemaFullName(name, namespace)
  const skip = named.get(full)
  if (skip !== undefined) return skip
  throw new Error(named.has(full) ? `the type ${full} contains itself` : `there is no type ${full}`)
}

/** A union, or an enum: an index into what the schema lists. */
function branchOf(skips: readonly Skip[]): Skip {
  return (cursor) => {
    const index = readLong(cursor)
    const skipBranch = skips[index]
    if (skipBranch === undefined) throw new Error(`there is no branch or symbol ${index} before byte ${cursor.at}`)
    skipBranch(cursor)
  }
}

const primitives: Readonly<Record<string, Skip>> = {
  null: () => {},
  boolean: (cursor) => skip(cursor, 1),
  float: (cursor) => skip(cursor, 4),
  double: (cursor) => skip(cursor, 8),
  long: (cursor) => void readLong(cursor),
  int: (cursor) => readInt(cursor),
  string: (cursor) => skipBytes(cursor),
  bytes: (cursor) => skipBytes(cursor),
}

function arrayOf(skipItem: Skip): Skip {
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
  skip(cursor, readLong(cursor))
}

function skip(cursor: Cursor, length: number): void {
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
