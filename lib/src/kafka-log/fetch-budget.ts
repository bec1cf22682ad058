/**
 * Bytes of fetched records that wait for their readers, of the whole process, and what fetches under way may add to them. Held may
 * exceed the maximum by what the last fetches brought: a mebibyte a broker, and a record that is larger.
 */
export class FetchBudget {
  readonly bytesMax: number
  heldBytes = 0
  reservedBytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get freeBytes(): number {
    return this.bytesMax - this.heldBytes - this.reservedBytes
  }
}
