/** Why an hour is not sealed. */

/** outside: no minute of ours; encode, compare: a defect of the codec; unreadable: what is stored. */
export type RefusalReason = 'outside' | 'encode' | 'compare' | 'unreadable'

/** An hour that cannot be packed, and why. It stays as it is. */
export class SealRefusedError extends Error {
  override readonly name = 'SealRefusedError'
  readonly reason: RefusalReason

  constructor(reason: RefusalReason, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.reason = reason
  }
}
