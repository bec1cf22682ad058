/**
 * Blocks of sealed hours in memory, so that a question about them costs Postgres one small statement (sealed-hours.ts) instead of a
 * row for each series and hour. As they are stored, some hundred bytes each; a series' hours lie together.
 *
 * What makes it right: while the row of an hour in `hour_seal` says *sealed and not dirty*, nothing of the hour is hot, and its blocks are
 * those that its last sealing wrote (decision 18). Whoever changes either changes that row first, in the same transaction; its xmin, the
 * transaction that wrote it, is then another. So blocks that were read in the snapshot in which an hour had version x are those of every
 * snapshot in which it has version x. Each question asks for the versions anew; nothing is believed for a time.
 *
 * Times of validity: `#now` counts the changes of versions that were seen. An hour is of the time since which its version stands, a
 * block of the time at which it was read; it is valid if it is not older than its hour. Answers of statements may overtake each
 * other: an older one makes versions change back and forth, which costs blocks, never makes an old one valid.
 *
 * xmin means something within one history of the database: another start of Postgres (a restore, a standby) begins with nothing. The
 * cache is one tenant's, like the pool whose row-level security decides which series a question gets to name.
 */

/** Hours since 1970, half-open. */
export interface HourSpan {
  readonly fromHour: number
  readonly toHour: number
}

/** Which hours of a span can be read from blocks alone; index 0 is its first. */
export type CleanHours = Uint8Array

/** Consecutive hours of one series. A length of 0: no block, if the hour is valid. */
export interface SeriesHours {
  readonly firstHour: number
  /** When each was read; 0: it was not. */
  readonly readAt: Uint32Array
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  readonly bytes: Buffer
}

export interface SealedCacheObserver {
  readonly bytes: (bytes: number) => void
  /** Postgres was started anew: whatever else was known of it may be wrong, too. */
  readonly forgotten: () => void
}

/** Beside its blocks: an entry, and an hour of it. */
const entryBytes = 500
const hourBytes = 12
/** Versions kept; more than any question that is answered from here has. */
const hoursMax = 20_000
/** Before each block, as it comes: its hour and length. */
export const blockHeadBytes = 8

export class SealedCache {
  readonly bytesMax: number
  /** The highest that Postgres has said; a hint, which a snapshot has to confirm. */
  completeThroughMs = 0
  readonly #observer: SealedCacheObserver
  readonly #versions = new Map<number, { version: string; since: number }>()
  /** Least recently used first. */
  readonly #series = new Map<number, SeriesHours>()
  #incarnation = ''
  #now = 1
  #bytes = 0

  constructor(bytesMax: number, observer: SealedCacheObserver) {
    this.bytesMax = bytesMax
    this.#observer = observer
  }

  /** @param incarnation which start of Postgres. @returns whether it is another one: all that was known is forgotten. */
  enter(incarnation: string): boolean {
    if (incarnation === this.#incarnation) return false
    const isOther = this.#incarnation !== ''
    this.#incarnation = incarnation
    if (isOther) {
      this.clear()
      this.#observer.forgotten()
    }
    return isOther
  }

  clear(): void {
    this.#versions.clear()
    this.#series.clear()
    this.completeThroughMs = 0
    this.#now++
    this.#change(-this.#bytes)
  }

  /**
   * What a snapshot has: `hour version,hour version...` of the hours of the span that are sealed and not dirty.
   * @returns which these are.
   */
  note(versions: string, { fromHour, toHour }: HourSpan): CleanHours {
    const clean = new Uint8Array(toHour - fromHour)
    if (this.#versions.size > hoursMax) this.clear()
    for (const item of versions === '' ? [] : versions.split(',')) {
      const space = item.indexOf(' ')
      const hour = Number(item.slice(0, space))
      clean[hour - fromHour] = 1
      this.#noteHour(hour, item.slice(space + 1))
    }
    for (let hour = fromHour; hour < toHour; hour++) if (clean[hour - fromHour] === 0) this.#noteHour(hour, '')
    return clean
  }

  #noteHour(hour: number, version: string): void {
    const known = this.#versions.get(hour)
    if (known?.version === version) return
    this.#versions.set(hour, { version, since: ++this.#now })
  }

  /** Since when each hour has its version; clean are those that were last seen so, and those that nobody has asked for. */
  known({ fromHour, toHour }: HourSpan): KnownHours {
    const [since, clean] = [new Uint32Array(toHour - fromHour), new Uint8Array(toHour - fromHour)]
    for (let hour = fromHour; hour < toHour; hour++) {
      const known = this.#versions.get(hour)
      since[hour - fromHour] = known?.since ?? 1
      clean[hour - fromHour] = known?.version === '' ? 0 : 1
    }
    return { fromHour, toHour, since, clean }
  }

  get(seriesId: number): SeriesHours | undefined {
    const found = this.#series.get(seriesId)
    if (found !== undefined) {
      this.#series.delete(seriesId)
      this.#series.set(seriesId, found)
    }
    return found
  }

  /**
   * Blocks of one series that were read in the snapshot that was noted last: `hour, length, block` one after the other, as
   * sealed-hours.ts asks for them. Hours that are not clean are left out.
   */
  put(seriesId: number, read: ReadHours): SeriesHours | undefined {
    const before = this.#series.get(seriesId)
    const merged = mergeHours(before, read, this.#now)
    if (merged === undefined) return before
    if (before !== undefined) {
      this.#series.delete(seriesId)
      this.#change(-sizeOf(before))
    }
    this.#series.set(seriesId, merged)
    this.#change(sizeOf(merged))
    for (const [oldest, entry] of this.#series) {
      if (this.#bytes <= this.bytesMax) break
      this.#series.delete(oldest)
      this.#change(-sizeOf(entry))
    }
    return merged
  }

  #change(bytes: number): void {
    this.#bytes += bytes
    this.#observer.bytes(this.#bytes)
  }
}

export interface KnownHours extends HourSpan {
  readonly since: Uint32Array
  readonly clean: CleanHours
}

/** The first and last clean hour that is not there, or not valid any more. */
export function lackingHours(entry: SeriesHours | undefined, known: KnownHours): HourSpan | undefined {
  const { fromHour, toHour, since, clean } = known
  let [first, last] = [-1, -1]
  for (let hour = fromHour; hour < toHour; hour++) {
    if (clean[hour - fromHour] === 0) continue
    // Outside of it there is nothing.
    const at = entry?.readAt[hour - entry.firstHour] ?? 0
    if (at !== 0 && at >= (since[hour - fromHour] as number)) continue
    if (first < 0) first = hour
    last = hour
  }
  return first < 0 ? undefined : { fromHour: first, toHour: last + 1 }
}

const sizeOf = ({ bytes, readAt }: SeriesHours): number => entryBytes + bytes.length + readAt.length * hourBytes

export interface ReadHours {
  /** Of what was read; clean hours outside of it are not in it. */
  readonly span: HourSpan
  readonly known: KnownHours
  readonly packed: Buffer
}

/** @returns undefined when none of what was read is clean. */
function mergeHours(
  before: SeriesHours | undefined,
  { span, known, packed }: ReadHours,
  now: number,
): SeriesHours | undefined {
  const isClean = (hour: number): boolean => known.clean[hour - known.fromHour] === 1
  let { fromHour, toHour } = span
  while (fromHour < toHour && !isClean(fromHour)) fromHour++
  while (fromHour < toHour && !isClean(toHour - 1)) toHour--
  if (fromHour === toHour) return undefined
  const firstHour = Math.min(before?.firstHour ?? fromHour, fromHour)
  const count = Math.max((before?.firstHour ?? 0) + (before?.readAt.length ?? 0), toHour) - firstHour
  const columns = new Uint32Array(3 * count)
  const readAt = columns.subarray(0, count)
  const starts = columns.subarray(count, 2 * count)
  const lengths = columns.subarray(2 * count)
  for (let hour = fromHour; hour < toHour; hour++) if (isClean(hour)) readAt[hour - firstHour] = now
  for (let at = 0; at < packed.length; ) {
    const [hour, length] = [packed.readInt32BE(at), packed.readInt32BE(at + 4)]
    if (isClean(hour)) {
      starts[hour - firstHour] = at + blockHeadBytes
      lengths[hour - firstHour] = length
    }
    at += blockHeadBytes + length
  }
  // A small buffer is a piece of a larger one, all of which it would keep.
  const own = packed.buffer.byteLength === packed.length ? packed : Buffer.copyBytesFrom(packed)
  if (before === undefined) return { firstHour, readAt, starts, lengths, bytes: own }
  const parts = [packed]
  let size = packed.length
  for (const [index, at] of before.readAt.entries()) {
    const hour = before.firstHour + index - firstHour
    if (at === 0 || readAt[hour] === now) continue
    const [length, start] = [before.lengths[index] as number, before.starts[index] as number]
    readAt[hour] = at
    lengths[hour] = length
    starts[hour] = size
    parts.push(before.bytes.subarray(start, start + length))
    size += length
  }
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const part of parts) at += part.copy(bytes, at)
  return { firstHour, readAt, starts, lengths, bytes }
}
