/** What live viewers of metrics share, within a bound of bytes: least recently used goes first. */
export class LiveCache<V> {
  readonly #bytesMax: number
  readonly #onChange: (bytes: number) => void
  /** Least recently used first. */
  readonly #entries = new Map<string, { readonly value: V; readonly bytes: number }>()
  #bytes = 0

  /** onChange is told by how many bytes it grew. */
  constructor(bytesMax: number, onChange: (bytes: number) => void) {
    this.#bytesMax = bytesMax
    this.#onChange = onChange
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  put(key: string, value: V, bytes: number): void {
    this.delete(key)
    this.#entries.set(key, { value, bytes })
    this.#change(bytes)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) return
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#change(-entry.bytes)
  }

  #change(bytes: number): void {
    this.#bytes += bytes
    this.#onChange(bytes)
  }
}
