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

/** Larger matrices are copied to memory of their own. */
const scratchBytesMax = 1_048_576
const scratch = new Float64Array(scratchBytesMax / float64Bytes)
const scratchBytes = new Uint8Array(scratch.buffer)

/** A view of the whole float64 in the bytes, or of a copy where they are not aligned. That may last only until the next call. */
export function matrixOf(bytes: Uint8Array): Float64Array {
  const length = Math.floor(bytes.length / float64Bytes)
  if (bytes.byteOffset % float64Bytes === 0) return new Float64Array(bytes.buffer, bytes.byteOffset, length)
  if (bytes.length > scratchBytesMax) return new Float64Array(new Uint8Array(bytes).buffer, 0, length)
  scratchBytes.set(bytes)
  return scratch.subarray(0, length)
}

/**
 * The bytes that a section may keep of a block that was read through this matrix: the block's own where they are most of what they
 * are a view of (a few bytes must not keep a whole body in memory), and a copy otherwise.
 */
export function keptValues(values: Uint8Array, matrix: Float64Array, { hasNegativeZero }: MatrixScan): Buffer {
  const bytes = hasNegativeZero ? new Uint8Array(matrix.buffer, matrix.byteOffset, matrix.byteLength) : values
  if (bytes === values && values.buffer.byteLength <= 2 * values.byteLength) {
    return Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  }
  const kept = Buffer.allocUnsafeSlow(bytes.byteLength)
  kept.set(bytes)
  return kept
}

export interface MatrixScan {
  /** Values that are no gap. */
  readonly sampleCount: number
  /** Those of them that cannot be taken. */
  readonly badCount: number
  /** There was a -0: in the matrix it is 0 now. */
  readonly hasNegativeZero: boolean
}

/** Also turns -0 into 0 in place: min and max must not depend on which zero came first. */
export function scanMatrix(matrix: Float64Array): MatrixScan {
  let goodCount = 0
  let gapCount = 0
  let hasNegativeZero = false
  for (let index = 0; index < matrix.length; index++) {
    const value = matrix[index] as number
    if (value <= valueMax && value >= -valueMax) {
      goodCount++
      if (value === 0 && Object.is(value, -0)) {
        matrix[index] = 0
        hasNegativeZero = true
      }
    } else if (Number.isNaN(value)) {
      gapCount++
    }
  }
  const sampleCount = matrix.length - gapCount
  return { sampleCount, badCount: sampleCount - goodCount, hasNegativeZero }
}

export function countSamples(matrix: Float64Array, from: number, to: number): number {
  let count = 0
  for (let index = from; index < to; index++) if (!Number.isNaN(matrix[index])) count++
  return count
}
