/**
 * Events as the bytes of Server-Sent Events, made once and shared by all the viewers they go to; and how many of those
 * bytes the viewers together have not taken yet. Node's sockets keep a reference to a buffer, no copy, so an event that a
 * thousand viewers wait for is held, and counted, once.
 *
 * An event is known by the identity of its data: one object is the data of one event, and does not change.
 *
 * A turn is what one pass of the event loop sends. Node hands it to the kernel when the pass ends, so only what is left of
 * it after that says anything of a viewer; and only then is the bound on all of it looked at. It may be exceeded by the
 * events of one turn.
 */
export interface StreamEvent {
  readonly event: 'minute' | 'status' | 'progress' | 'reset'
  readonly data: object
  /** Where a replay would resume: ms since the epoch. */
  readonly id?: number
  /** The next event of this kind says all that this one does: a viewer that is behind goes without. */
  readonly isProvisional?: boolean
}

export interface Frame {
  readonly bytes: Buffer
  /** Writes that are not through. */
  holders: number
}

export class EventFrames {
  readonly #bytesMax: number
  readonly #onOverfull: () => void
  readonly #frames = new WeakMap<object, Frame>()
  #heldBytes = 0
  #turn = 0
  #turnIsOpen = false

  /** onOverfull is called at the end of a turn that left more than bytesMax held. */
  constructor(bytesMax: number, onOverfull: () => void) {
    this.#bytesMax = bytesMax
    this.#onOverfull = onOverfull
  }

  get isOverfull(): boolean {
    return this.#heldBytes > this.#bytesMax
  }

  /** The number of this turn. */
  enterTurn(): number {
    if (!this.#turnIsOpen) {
      this.#turnIsOpen = true
      setImmediate(() => this.#endTurn())
    }
    return this.#turn
  }

  /** The event's bytes, held until as many calls of release. */
  hold(event: StreamEvent): Frame {
    let frame = this.#frames.get(event.data)
    if (frame === undefined) {
      frame = { bytes: Buffer.from(frameText(event)), holders: 0 }
      this.#frames.set(event.data, frame)
    }
    if (frame.holders++ === 0) this.#heldBytes += frame.bytes.length
    this.enterTurn()
    return frame
  }

  release(frame: Frame): void {
    if (--frame.holders === 0) this.#heldBytes -= frame.bytes.length
  }

  #endTurn(): void {
    this.#turnIsOpen = false
    this.#turn++
    if (this.isOverfull) this.#onOverfull()
  }
}

/** JSON has no raw line breaks, so one `data:` line is enough. */
export function frameText({ event, data, id }: StreamEvent): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
