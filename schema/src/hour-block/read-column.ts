/** Reads a column of whole numbers (plan-column.ts writes it; docs/formats.md, "column") into doubles, without garbage. */
import type { BlockReader } from './block-bytes.ts'
import {
  columnExtended,
  columnStepped,
  columnWidthMask,
  columnWidthMax,
  columnZeros,
  extendedDivisor,
  extendedPatchMask,
} from './hour-block-format.ts'

export interface ColumnTarget {
  readonly out: Float64Array
  /** Of the first number; there is room for `count`. */
  readonly outAt: number
}

/** @throws HourBlockError */
export function readColumn(reader: BlockReader, count: number, { out, outAt }: ColumnTarget): void {
  const head = reader.byte()
  if (head === columnZeros) {
    out.fill(0, outAt, outAt + count)
    return
  }
  const width = head & columnWidthMask
  if (width > columnWidthMax) reader.refuse(`a column claims numbers of ${width} bits`)
  const isStepped = (head & columnStepped) !== 0
  const extended = (head & columnExtended) === 0 ? 0 : reader.byte()
  if ((head & columnExtended) !== 0 && (extended === 0 || (extended & ~(extendedDivisor | extendedPatchMask)) !== 0)) {
    reader.refuse(`a column's second byte is ${extended}`)
  }
  const base = reader.signed()
  const firstAt = isStepped ? outAt + 1 : outAt
  const packedCount = isStepped ? count - 1 : count
  if (isStepped) out[outAt] = reader.signed()
  const divisor = (extended & extendedDivisor) === 0 ? 1 : reader.unsigned()
  if (divisor === 0) reader.refuse('a column is divided by 0')
  reader.packed(width, packedCount, { out, outAt: firstAt })
  readPatches(reader, extended & extendedPatchMask, { out, firstAt, packedCount })
  const end = outAt + count
  if (isStepped) {
    let number = out[outAt] as number
    for (let index = firstAt; index < end; index++) {
      number += base + divisor * (out[index] as number)
      out[index] = number
    }
  } else {
    for (let index = outAt; index < end; index++) out[index] = base + divisor * (out[index] as number)
  }
}

function readPatches(
  reader: BlockReader,
  patchCount: number,
  { out, firstAt, packedCount }: { out: Float64Array; firstAt: number; packedCount: number },
): void {
  let before = -1
  for (let patch = 0; patch < patchCount; patch++) {
    const index = reader.byte()
    if (index <= before || index >= packedCount)
      reader.refuse(`number ${index} of ${packedCount} is patched after ${before}`)
    out[firstAt + index] = reader.signed()
    before = index
  }
}
