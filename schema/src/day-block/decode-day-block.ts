/**
 * Day blocks back into columns (encode-day-block.ts makes them). Bytes come from a database that many versions of us have written to:
 * whatever they are, either a day is read or an HourBlockError says what and where, and no loop is longer than 24. A decoder is made once
 * and makes next to no garbage.
 *
 * Values are read into the first slots, one for each hour that there is, and spread over the day in the end.
 */
import { BlockReader, HourBlockError } from '../hour-block/block-bytes.ts'
import {
  digitsMask,
  flagMaxAlone,
  flagOdd,
  flagSumWords,
  flagWords,
  oddMinutesMax,
  powersOfTen,
  sumAboveFirst,
  sumAboveMiddle,
  sumAboveMin,
  sumFormShift,
} from '../hour-block/hour-block-format.ts'
import { readColumn } from '../hour-block/read-column.ts'
import { WordColumn } from '../hour-block/word-column.ts'
import { dayBlockVersion } from './encode-day-block.ts'
import { type HourColumns, hoursPerDay, samplesPerHourMax } from './hour-columns.ts'

const flagsMask = flagWords | flagSumWords | flagOdd | flagMaxAlone

export class DayBlockDecoder {
  readonly #reader = new BlockReader()
  readonly #words = new WordColumn()
  readonly #counts = new Float64Array(hoursPerDay)
  /** Of the block that is being read. */
  #flags = 0
  #scale = 0
  #count = 0

  /** All 24 hours; those that are absent become 0. After an error the columns may hold anything. @throws HourBlockError */
  decode(bytes: Uint8Array, columns: HourColumns): void {
    const reader = this.#reader
    reader.begin(bytes)
    const presence = this.#readHead()
    this.#readCounts()
    if (this.#has(flagWords)) this.#readBoundWords(columns)
    else this.#readBounds(columns)
    if (this.#has(flagSumWords)) this.#readWords(columns.sum)
    else this.#readSum(columns)
    if (!this.#has(flagWords)) this.#unscale(columns)
    this.#spread(columns, presence)
    if (this.#has(flagOdd)) this.#readOdd(columns)
    reader.end()
  }

  #has(flag: number): boolean {
    return (this.#flags & flag) !== 0
  }

  /** @returns the hours that there are, a bit each. */
  #readHead(): number {
    const reader = this.#reader
    const version = reader.byte()
    if (version !== dayBlockVersion) {
      throw new HourBlockError(`a day block of version ${version}; this release reads version ${dayBlockVersion}`)
    }
    const presence = reader.byte() | (reader.byte() << 8) | (reader.byte() << 16)
    this.#flags = reader.byte()
    this.#scale = reader.byte()
    const sumForm = this.#scale >>> sumFormShift
    const isSound = this.#has(flagSumWords)
      ? sumForm === 0 && (!this.#has(flagWords) || this.#scale === 0)
      : sumForm <= sumAboveMiddle && !this.#has(flagWords)
    if (!isSound || (this.#flags & ~flagsMask) !== 0) {
      reader.refuse(`flags ${this.#flags} and scale ${this.#scale} do not go together`)
    }
    if (presence === 0) reader.refuse('a day has no hours')
    this.#count = 0
    for (let bits = presence; bits !== 0; bits >>>= 1) this.#count += bits & 1
    return presence
  }

  #readCounts(): void {
    readColumn(this.#reader, this.#count, { out: this.#counts, outAt: 0 })
    for (let row = 0; row < this.#count; row++) {
      const samples = this.#counts[row] as number
      if (!(samples >= 1 && samples <= samplesPerHourMax)) this.#reader.refuse(`an hour has ${samples} samples`)
    }
  }

  #readBounds({ min, max }: HourColumns): void {
    readColumn(this.#reader, this.#count, { out: min, outAt: 0 })
    readColumn(this.#reader, this.#count, { out: max, outAt: 0 })
    if (this.#has(flagMaxAlone)) return
    for (let row = 0; row < this.#count; row++) max[row] = (max[row] as number) + (min[row] as number)
  }

  /** Whole numbers still, after readBounds. */
  #readSum({ min, max, sum }: HourColumns): void {
    readColumn(this.#reader, this.#count, { out: sum, outAt: 0 })
    const form = this.#scale >>> sumFormShift
    const first = min[0] as number
    for (let row = 0; row < this.#count; row++) {
      const samples = this.#counts[row] as number
      const above = sum[row] as number
      if (form === sumAboveMin) sum[row] = above + samples * (min[row] as number)
      else if (form === sumAboveFirst) sum[row] = above + samples * first
      else sum[row] = (above + samples * ((min[row] as number) + (max[row] as number))) / 2
    }
  }

  #unscale({ min, max, sum }: HourColumns): void {
    const power = powersOfTen[this.#scale & digitsMask] as number
    for (let row = 0; row < this.#count; row++) {
      // A product with 1 / power would not be the nearest double.
      min[row] = (min[row] as number) / power
      max[row] = (max[row] as number) / power
      if (!this.#has(flagSumWords)) sum[row] = (sum[row] as number) / power
    }
  }

  #readBoundWords({ min, max }: HourColumns): void {
    this.#readWords(min)
    this.#words.read(this.#reader, this.#count, this.#has(flagMaxAlone) ? undefined : { out: min, outAt: 0 })
    this.#words.put({ out: max, outAt: 0 }, this.#count)
  }

  #readWords(out: Float64Array): void {
    this.#words.read(this.#reader, this.#count)
    this.#words.put({ out, outAt: 0 }, this.#count)
  }

  /** From the last hour to the first: an hour never moves down. */
  #spread({ count, min, max, sum }: HourColumns, presence: number): void {
    let from = this.#count - 1
    for (let hour = hoursPerDay - 1; hour >= 0; hour--) {
      const isPresent = ((presence >>> hour) & 1) === 1
      count[hour] = isPresent ? (this.#counts[from] as number) : 0
      for (const column of [min, max, sum]) column[hour] = isPresent ? (column[from] as number) : 0
      if (isPresent) from--
    }
  }

  #readOdd({ count, min, max, sum }: HourColumns): void {
    const reader = this.#reader
    const oddCount = reader.byte()
    if (oddCount === 0 || oddCount > oddMinutesMax) reader.refuse(`${oddCount} hours stand apart`)
    for (let odd = 0, before = -1; odd < oddCount; odd++) {
      const hour = reader.byte()
      if (hour <= before || hour >= hoursPerDay || count[hour] === 0) {
        reader.refuse(`hour ${hour} stands apart after ${before}`)
      }
      min[hour] = reader.double()
      max[hour] = reader.double()
      sum[hour] = reader.double()
      before = hour
    }
  }
}
