/** Writes a column as it was planned (plan-column.ts; docs/formats.md, "column"). */
import type { BlockWriter } from './block-bytes.ts'
import { columnExtended, columnStepped, columnZeros, extendedDivisor } from './hour-block-format.ts'
import type { ColumnPlan } from './plan-column.ts'

export function writeColumn(writer: BlockWriter, { numbers, packing }: ColumnPlan): void {
  if (packing === undefined) {
    writer.byte(columnZeros)
    return
  }
  const { isStepped, base, divisor, width, patchCount } = packing
  const extended = (divisor > 1 ? extendedDivisor : 0) | patchCount
  writer.byte(width | (isStepped ? columnStepped : 0) | (extended === 0 ? 0 : columnExtended))
  if (extended !== 0) writer.byte(extended)
  writer.signed(base)
  if (isStepped) writer.signed(numbers[0] as number)
  if (divisor > 1) writer.unsigned(divisor)
  const packed = new Float64Array(isStepped ? numbers.length - 1 : numbers.length)
  const patches: { index: number; value: number }[] = []
  for (let index = 0; index < packed.length; index++) {
    const number = isStepped ? (numbers[index + 1] as number) - (numbers[index] as number) : (numbers[index] as number)
    const value = (number - base) / divisor
    if (value >= 0 && value < 2 ** width) packed[index] = value
    else patches.push({ index, value })
  }
  writer.packed(packed, width)
  for (const { index, value } of patches) {
    writer.byte(index)
    writer.signed(value)
  }
}
