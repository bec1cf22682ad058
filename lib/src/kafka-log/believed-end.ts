/**
 * Which fetch of a partition came to the log's end. After a break (log-trail.ts), which may be another leader, a high watermark can lag
 * behind what the leader before had acknowledged: then an end is believed when the leader has told it in answer to ListOffsets, asked
 * after the fetch, which it refuses until it has caught up (KIP-207). From then on its high watermarks are believed.
 */
export class BelievedEnd {
  /** Of the last fetch that found the end; -1: none has. */
  sequence = -1
  /** A fetch came to what looks like the end, and its broker is to be asked. */
  isWanted = false
  #isProved = false
  #last: object | undefined

  /** Another place in the log: no fetch has found its end from there. */
  begin(): void {
    this.sequence = -1
  }

  /** A fetch is about to be made. */
  fetching(ticket: object, { isWhole }: { isWhole: boolean }): void {
    if (!isWhole) this.#isProved = false
    this.isWanted = false
    this.#last = ticket
  }

  /** It came to what looks like the end. */
  reach({ sequence }: { sequence: number }): void {
    if (this.#isProved) this.sequence = sequence
    else this.isWanted = true
  }

  /** The broker has told the end. @returns false when it was asked before the last fetch: that may be of another leader. */
  prove(ticket: object): boolean {
    this.isWanted = false
    if (ticket !== this.#last) return false
    this.#isProved = true
    return true
  }
}
