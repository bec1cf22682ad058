/**
 * The values of an Avro block: little-endian float64, row after row, NaN = gap. Read through a Float64Array, as fast as through
 * a DataView (2.8 ns a value either way, measured) and simpler for whoever cuts rows out; it asks for an aligned buffer and
 * a little-endian machine (of Node 24's platforms all but s390x and AIX are).
 */
import assert from 'node:assert/strict'
import { endianness } from 'node:os'
import { valueMax } from '@minutely/schema/limits'

assert(endianness() === 'LE', 'BUG: matrices are read as the machine stores floats, and this machine is big-endian')

const float64Bytes = 8

/** A view of the whole float64 in the bytes, or of a copy where they are not aligned (avsc cuts short ones from a shared slab). */
export function matrixOf(bytes: Buffer<ArrayBuffer>): Float64Array {
  const length = Math.floor(bytes.length / float64Bytes)
  if (bytes.byteOffset % float64Bytes === 0) return new Float64Array(bytes.buffer, bytes.byteOffset, length)
  return new Float64Array(new Uint8Array(bytes).buffer, 0, length)
}

export interface MatrixScan {
  /** Values that are no gap. */
  readonly sampleCount: number
  /** Those of them that cannot be taken. */
  readonly badCount: number
}

/** Also turns -0 into 0 in place: min and max must not depend on which zero came first. */
export function scanMatrix(matrix: Float64Array): MatrixScan {
  let goodCount = 0
  let gapCount = 0
  for (let index = 0; index < matrix.length; index++) {
    const value = matrix[index] as number
    if (value <= valueMax && value >= -valueMax) {
      goodCount++
      if (value === 0) matrix[index] = 0
    } else if (Number.isNaN(value)) {
      gapCount++
    }
  }
  return { sampleCount: matrix.length - gapCount, badCount: matrix.length - gapCount - goodCount }
}

export function countSamples(matrix: Float64Array, from: number, to: number): number {
  let count = 0
  for (let index = from; index < to; index++) if (!Number.isNaN(matrix[index])) count++
  return count
}
