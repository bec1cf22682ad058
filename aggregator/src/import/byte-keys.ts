/**
 * A table from keys that are bytes to values, for keys that are looked for far more often than they are new: no string is made of one that
 * is known. Open addressing, at most half full; it grows. Pure.
 */
const capacityMin = 1_024

export class ByteKeys<T> {
  #hashes = new Int32Array(capacityMin)
  #keys: (Buffer | undefined)[] = Array.from({ length: capacityMin })
  #values: (T | undefined)[] = Array.from({ length: capacityMin })
  #size = 0

  get size(): number {
    return this.#size
  }

  clear(): void {
    this.#size = 0
    this.#renew(capacityMin)
  }

  /** The value of the first `length` bytes, if it is known. */
  find(bytes: Buffer, length: number): T | undefined {
    const hash = hashOf(bytes, length)
    const mask = this.#hashes.length - 1
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const key = this.#keys[at]
      if (key === undefined) return undefined
      if (this.#hashes[at] === hash && isEqual(key, bytes, length)) return this.#values[at]
    }
  }

  /** One that is not there. */
  add(bytes: Buffer, length: number, value: T): void {
    if (++this.#size * 2 > this.#hashes.length) this.#grow()
    this.#put(hashOf(bytes, length), Buffer.from(bytes.subarray(0, length)), value)
  }

  #put(hash: number, key: Buffer, value: T): void {
    const mask = this.#hashes.length - 1
    let at = hash & mask
    while (this.#keys[at] !== undefined) at = (at + 1) & mask
    this.#hashes[at] = hash
    this.#keys[at] = key
    this.#values[at] = value
  }

  #grow(): void {
    const [hashes, keys, values] = [this.#hashes, this.#keys, this.#values]
    this.#renew(hashes.length * 2)
    for (const [at, key] of keys.entries()) {
      if (key !== undefined) this.#put(hashes[at] as number, key, values[at] as T)
    }
  }

  #renew(capacity: number): void {
    this.#hashes = new Int32Array(capacity)
    this.#keys = Array.from({ length: capacity })
    this.#values = Array.from({ length: capacity })
  }
}

/** FNV-1a, with its bits mixed once more: the mask takes the lowest. */
function hashOf(bytes: Buffer, length: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < length; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193)
  return hash ^ (hash >>> 15)
}

function isEqual(key: Buffer, bytes: Buffer, length: number): boolean {
  if (key.length !== length) return false
  for (let index = 0; index < length; index++) if (key[index] !== bytes[index]) return false
  return true
}
