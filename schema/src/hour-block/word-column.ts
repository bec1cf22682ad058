/**
 * Doubles as the two halves of their 64 bits, each a column of whole numbers from 0 to 2^32 - 1: for values that are no decimals.
 * Neighbouring values mostly share sign, exponent and the first bits of the mantissa, so upper halves are packed narrowly.
 */
import type { BlockReader } from './block-bytes.ts'
import { minutesPerHour } from './minute-columns.ts'
import { type ColumnTarget, readColumn } from './read-column.ts'

const wordMax = 2 ** 32 - 1

/** Upper and lower halves. */
export function wordsOf(values: Float64Array): [Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>] {
  const view = new DataView(new ArrayBuffer(8))
  const upper = new Float64Array(values.length)
  const lower = new Float64Array(values.length)
  for (const [row, value] of values.entries()) {
    view.setFloat64(0, value)
    upper[row] = view.getUint32(0)
    lower[row] = view.getUint32(4)
  }
  return [upper, lower]
}

/** Reads one such column after another into itself, so that reading makes no garbage. */
export class WordColumn {
  readonly #upper = new Float64Array(minutesPerHour)
  readonly #lower = new Float64Array(minutesPerHour)
  readonly #view = new DataView(new ArrayBuffer(8))

  /** @param above doubles whose words are to be added, for words that were written less those. @throws HourBlockError */
  read(reader: BlockReader, count: number, above?: ColumnTarget): void {
    readColumn(reader, count, { out: this.#upper, outAt: 0 })
    readColumn(reader, count, { out: this.#lower, outAt: 0 })
    for (let index = 0; index < count; index++) {
      let [upper, lower] = [this.#upper[index] as number, this.#lower[index] as number]
      if (above !== undefined) {
        this.#view.setFloat64(0, above.out[above.outAt + index] as number)
        upper += this.#view.getUint32(0)
        lower += this.#view.getUint32(4)
      }
      if (!(upper >= 0 && upper <= wordMax && lower >= 0 && lower <= wordMax)) {
        reader.refuse(`word ${index} of ${count} is beyond 32 bits`)
      }
      this.#upper[index] = upper
      this.#lower[index] = lower
    }
  }

  put({ out, outAt }: ColumnTarget, count: number): void {
    for (let index = 0; index < count; index++) {
      this.#view.setUint32(0, this.#upper[index] as number)
      this.#view.setUint32(4, this.#lower[index] as number)
      out[outAt + index] = this.#view.getFloat64(0)
    }
  }
}
