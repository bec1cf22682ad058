/** CRC-32C (Castagnoli), the checksum of Kafka's record batches; Node has only the other CRC-32. Eight bytes a step. */
const polynomial = 0x82f63b78
const tables = makeTables()

export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [T, T, T, T, T, T, T, T]
  const at = (table: T, index: number): number => table[index] as number
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wholeLength = bytes.length - (bytes.length % 8)
  let crc = -1
  let offset = 0
  for (; offset < wholeLength; offset += 8) {
    const low = view.getInt32(offset, true) ^ crc
    const high = view.getInt32(offset + 4, true)
    crc =
      at(t7, low & 255) ^
      at(t6, (low >>> 8) & 255) ^
      at(t5, (low >>> 16) & 255) ^
      at(t4, low >>> 24) ^
      at(t3, high & 255) ^
      at(t2, (high >>> 8) & 255) ^
      at(t1, (high >>> 16) & 255) ^
      at(t0, high >>> 24)
  }
  for (; offset < bytes.length; offset++) crc = at(t0, (crc ^ (bytes[offset] as number)) & 255) ^ (crc >>> 8)
  return (crc ^ -1) >>> 0
}

type T = Int32Array

/** Table n: the effect of a byte that n more bytes follow. */
function makeTables(): readonly T[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    return crc
  })
  const made: T[] = [first]
  while (made.length < 8) {
    const last = made[made.length - 1] as T
    made.push(Int32Array.from(last, (crc) => (crc >>> 8) ^ (first[crc & 255] as number)))
  }
  return made
}
