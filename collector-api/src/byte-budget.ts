/**
 * Bytes that all requests of the process may hold together. A lease grows as bytes really arrive, not by what a header
 * promises, so that whoever wants to exhaust the budget has to send that much.
 *
 * Invariant: bytesUsed is the sum of all open leases and never exceeds bytesMax. Every lease is closed in a `finally`.
 */
export class ByteBudget {
  readonly bytesMax: number
  #bytesUsed = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytesUsed(): number {
    return this.#bytesUsed
  }

  open(): ByteLease {
    let held = 0
    return {
      grow: (bytes) => {
        if (this.#bytesUsed + bytes > this.bytesMax) return false
        this.#bytesUsed += bytes
        held += bytes
        return true
      },
      close: () => {
        this.#bytesUsed -= held
        held = 0
      },
    }
  }
}

export interface ByteLease {
  /** False, and nothing is taken, when the budget does not have so much left. */
  grow(bytes: number): boolean
  /** Gives everything back; may be called twice. */
  close(): void
}
