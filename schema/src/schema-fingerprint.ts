/**
 * CRC-64-AVRO over a schema's Parsing Canonical Form: the 8 bytes that name a writer's schema on the wire.
 * Algorithm and form: https://avro.apache.org/docs/1.12.0/specification/#schema-fingerprints and
 * #parsing-canonical-form-for-schemas. avsc has neither the CRC nor the strict canonical form, hence this file.
 */
const empty = 0xc15d213aa4d7a795n

/** Eight bytes, little-endian as the single-object encoding wants them. */
export function schemaFingerprint(schema: unknown): Buffer {
  let crc = empty
  for (const byte of Buffer.from(canonicalForm(schema, ''), 'utf8')) {
    crc = (crc >> 8n) ^ (table[Number((crc ^ BigInt(byte)) & 0xffn)] as bigint)
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(crc)
  return bytes
}

const table: readonly bigint[] = Array.from({ length: 256 }, (_, index) => {
  let entry = BigInt(index)
  for (let bit = 0; bit < 8; bit++) entry = (entry >> 1n) ^ (entry & 1n ? empty : 0n)
  return entry
})

/** PCF: full names, only the attributes that matter to a reader, in a fixed order, no white space. */
export function canonicalForm(schema: unknown, namespace: string): string {
  if (typeof schema === 'string')
    return JSON.stringify(isPrimitive(schema) ? schema : schemaFullName(schema, namespace))
  if (Array.isArray(schema)) return `[${schema.map((branch) => canonicalForm(branch, namespace)).join(',')}]`
  const { type, name, namespace: own, fields, items, values, symbols, size } = schema as Record<string, unknown>
  if (typeof type === 'string' && isPrimitive(type)) return JSON.stringify(type)
  const parts: string[] = []
  let inner = namespace
  if (typeof name === 'string') {
    const full = schemaFullName(name, typeof own === 'string' ? own : namespace)
    inner = full.includes('.') ? full.slice(0, full.lastIndexOf('.')) : ''
    parts.push(`"name":${JSON.stringify(full)}`)
  }
  parts.push(`"type":${JSON.stringify(type)}`)
  if (Array.isArray(fields)) {
    const list = fields.map(
      (field: { name: string; type: unknown }) =>
        `{"name":${JSON.stringify(field.name)},"type":${canonicalForm(field.type, inner)}}`,
    )
    parts.push(`"fields":[${list.join(',')}]`)
  }
  if (symbols !== undefined) parts.push(`"symbols":${JSON.stringify(symbols)}`)
  if (items !== undefined) parts.push(`"items":${canonicalForm(items, inner)}`)
  if (values !== undefined) parts.push(`"values":${canonicalForm(values, inner)}`)
  if (size !== undefined) parts.push(`"size":${size}`)
  return `{${parts.join(',')}}`
}

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])
const isPrimitive = (type: string): boolean => primitives.has(type)

/** `name` as a schema within `namespace` says it. */
export const schemaFullName = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
