/**
 * Hour blocks back into columns (encode-hour-block.ts makes them). Bytes come from a database that many versions of us have written
 * to: whatever they are, either an hour is read or an HourBlockError says what and where, nothing outside the hour's 60 slots is
 * written, and no loop is longer than 60. There is no checksum: that is the database's part.
 *
 * A decoder is made once and makes next to no garbage: thousands of blocks are read for one answer.
 *
 * Values are read into the first slots, one for each minute that there is, and spread over the hour in the end:
 *
 *    a b c . . .   ->   . a . b c .
 */
import { BlockReader, HourBlockError } from './block-bytes.ts'
import {
  digitsMask,
  flagMaxAlone,
  flagOdd,
  flagSumWords,
  flagWords,
  hourBlockVersion,
  oddMinutesMax,
  powersOfTen,
  presenceMask,
  seenMask,
  seenShift,
  seenWhole,
  sumAboveFirst,
  sumAboveMiddle,
  sumAboveMin,
  sumFormShift,
} from './hour-block-format.ts'
import { assertHourFits, bitCount, type MinuteColumns, minutesPerHour, secondsPerHalf } from './minute-columns.ts'
import { readColumn } from './read-column.ts'
import { readPresence, readSeen } from './seen-section.ts'
import { PatternReader } from './sixty-pattern.ts'
import { WordColumn } from './word-column.ts'

const secondsPerMinute = 60

export class HourBlockDecoder {
  readonly #reader = new BlockReader()
  readonly #pattern = new PatternReader()
  readonly #words = new WordColumn()
  /** Of the block that is being read. */
  #flags = 0
  #scale = 0
  #count = 0

  /**
   * All 60 minutes into the slots from `at` on; those that are absent become 0. After an error these slots may hold anything.
   * @returns how many minutes there are. @throws HourBlockError
   */
  decode(bytes: Uint8Array, columns: MinuteColumns, at: number): number {
    assertHourFits(columns, at)
    const reader = this.#reader
    reader.begin(bytes)
    this.#readHead()
    readPresence(reader, this.#flags & presenceMask, this.#pattern)
    const { low, high } = this.#pattern
    this.#count = bitCount(low) + bitCount(high)
    const [seenMode, count] = [(this.#flags >>> seenShift) & seenMask, this.#count]
    readSeen(seenMode, { columns, at, count }, { reader, pattern: this.#pattern })
    if (this.#has(flagWords)) this.#readBoundWords(columns, at)
    else this.#readBounds(columns, at)
    if (this.#has(flagSumWords)) this.#readSumWords(columns, at)
    else this.#readSum(columns, at)
    if (!this.#has(flagWords)) this.#unscale(columns, at)
    if (count < minutesPerHour) spread(columns, at, { low, high, count })
    if (this.#has(flagOdd)) this.#readOdd(columns, at)
    reader.end()
    return count
  }

  #has(flag: number): boolean {
    return (this.#flags & flag) !== 0
  }

  #readHead(): void {
    const version = this.#reader.byte()
    if (version !== hourBlockVersion) {
      throw new HourBlockError(`an hour block of version ${version}; this release reads version ${hourBlockVersion}`)
    }
    this.#flags = this.#reader.byte()
    this.#scale = this.#reader.byte()
    const sumForm = this.#scale >>> sumFormShift
    const isSound = this.#has(flagSumWords)
      ? sumForm === 0 && (!this.#has(flagWords) || this.#scale === 0)
      : sumForm <= sumAboveMiddle && !this.#has(flagWords)
    if (!isSound) this.#reader.refuse(`flags ${this.#flags} and scale ${this.#scale} do not go together`)
  }

  #readBounds({ min, max }: MinuteColumns, at: number): void {
    readColumn(this.#reader, this.#count, { out: min, outAt: at })
    readColumn(this.#reader, this.#count, { out: max, outAt: at })
    if (this.#has(flagMaxAlone)) return
    const end = at + this.#count
    for (let slot = at; slot < end; slot++) max[slot] = (max[slot] as number) + (min[slot] as number)
  }

  /** Whole numbers still, after readBounds. */
  #readSum({ seenLow, seenHigh, min, max, sum }: MinuteColumns, at: number): void {
    readColumn(this.#reader, this.#count, { out: sum, outAt: at })
    const form = this.#scale >>> sumFormShift
    const isWhole = ((this.#flags >>> seenShift) & seenMask) === seenWhole
    const first = min[at] as number
    const end = at + this.#count
    for (let slot = at; slot < end; slot++) {
      const samples = isWhole
        ? secondsPerMinute
        : bitCount(seenLow[slot] as number) + bitCount(seenHigh[slot] as number)
      const above = sum[slot] as number
      if (form === sumAboveMin) sum[slot] = above + samples * (min[slot] as number)
      else if (form === sumAboveFirst) sum[slot] = above + samples * first
      else sum[slot] = (above + samples * ((min[slot] as number) + (max[slot] as number))) / 2
    }
  }

  #unscale({ min, max, sum }: MinuteColumns, at: number): void {
    const power = powersOfTen[this.#scale & digitsMask] as number
    if (power === 1) return
    const end = at + this.#count
    for (let slot = at; slot < end; slot++) {
      // A product with 1 / power would not be the nearest double.
      min[slot] = (min[slot] as number) / power
      max[slot] = (max[slot] as number) / power
    }
    if (this.#has(flagSumWords)) return
    for (let slot = at; slot < end; slot++) sum[slot] = (sum[slot] as number) / power
  }

  #readBoundWords({ min, max }: MinuteColumns, at: number): void {
    const [reader, words, count] = [this.#reader, this.#words, this.#count]
    words.read(reader, count)
    words.put({ out: min, outAt: at }, count)
    words.read(reader, count, this.#has(flagMaxAlone) ? undefined : { out: min, outAt: at })
    words.put({ out: max, outAt: at }, count)
  }

  #readSumWords({ sum }: MinuteColumns, at: number): void {
    this.#words.read(this.#reader, this.#count)
    this.#words.put({ out: sum, outAt: at }, this.#count)
  }

  #readOdd({ seenLow, seenHigh, min, max, sum }: MinuteColumns, at: number): void {
    const reader = this.#reader
    const oddCount = reader.byte()
    if (oddCount === 0 || oddCount > oddMinutesMax) reader.refuse(`${oddCount} minutes stand apart`)
    for (let odd = 0, before = -1; odd < oddCount; odd++) {
      const minute = reader.byte()
      const slot = at + minute
      if (minute <= before || minute >= minutesPerHour || (seenLow[slot] === 0 && seenHigh[slot] === 0)) {
        reader.refuse(`minute ${minute} stands apart after ${before}`)
      }
      min[slot] = reader.double()
      max[slot] = reader.double()
      sum[slot] = reader.double()
      before = minute
    }
  }
}

/** From the last minute to the first, so that nothing is overwritten that is still to be moved: a minute never moves down. */
function spread(
  { seenLow, seenHigh, min, max, sum }: MinuteColumns,
  at: number,
  { low, high, count }: { low: number; high: number; count: number },
): void {
  let from = at + count - 1
  for (let minute = minutesPerHour - 1; minute >= 0; minute--) {
    const isPresent = minute < secondsPerHalf ? (low >>> minute) & 1 : (high >>> (minute - secondsPerHalf)) & 1
    const to = at + minute
    seenLow[to] = isPresent === 1 ? (seenLow[from] as number) : 0
    seenHigh[to] = isPresent === 1 ? (seenHigh[from] as number) : 0
    min[to] = isPresent === 1 ? (min[from] as number) : 0
    max[to] = isPresent === 1 ? (max[from] as number) : 0
    sum[to] = isPresent === 1 ? (sum[from] as number) : 0
    from -= isPresent
  }
}
