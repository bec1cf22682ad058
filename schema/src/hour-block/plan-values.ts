/**
 * How the min, max and sum of an hour's minutes are written: as decimals where they are some, that is as whole numbers after
 * multiplying by a power of ten, else as the two halves of their 64 bits. Layout: docs/formats.md, "values".
 *
 *   decimals   min             numbers
 *              max             what they are above min, or numbers
 *              sum             what is above count x min, above count x the hour's first min, or twice above count x (min + max)
 *   words      min, max, sum   upper halves, then lower halves; those of max less those of min, or as they are
 *
 * min and max may be decimals where sum is none: with more than 6 digits, or beyond what decimal-sum.ts adds exactly. A few
 * minutes that are no decimals stand apart, whole. A decimal is exact here or it is none (minus zero is none): what is
 * read again is the same double, bit for bit. All ways that are possible are measured, the smallest is taken.
 */
import assert from 'node:assert/strict'
import {
  digitsMax,
  flagMaxAlone,
  flagOdd,
  flagSumWords,
  flagWords,
  oddMinutesMax,
  sumAboveFirst,
  sumAboveMiddle,
  sumAboveMin,
} from './hour-block-format.ts'
import { type ColumnPlan, type ColumnPlanner, smallest } from './plan-column.ts'
import { digitsOf, scaledColumn } from './scaled-column.ts'
import { wordsOf } from './word-column.ts'

type Column = Float64Array<ArrayBuffer>

/** The minutes that an hour has, in ascending order; or the hours of a day (day-block/). */
export interface HourRows {
  /** Minute of the hour. */
  readonly minutes: Uint8Array
  /** Samples in it. */
  readonly counts: Uint8Array | Uint16Array
  readonly min: Column
  readonly max: Column
  readonly sum: Column
}

/** Columns in the order in which they are written, and what tells how to read them. */
interface Part {
  readonly size: number
  readonly flags: number
  readonly sumForm: number
  readonly columns: readonly ColumnPlan[]
}

export interface ValuesPlan extends Part {
  readonly digits: number
  /** Rows that stand apart. */
  readonly odd: readonly number[]
}

/** Minute, min, max, sum. */
const oddBytes = 25

export function planValues(rows: HourRows, planner: ColumnPlanner): ValuesPlan {
  const decimals = planDecimals(rows, [rows.min, rows.max, rows.sum], planner)
  if (decimals !== undefined && decimals.odd.length === 0) return decimals
  const plan = smallest(decimals, planDecimals(rows, [rows.min, rows.max], planner), planWords(rows, planner))
  assert(plan !== undefined, 'BUG: values can always be written as words')
  return plan
}

/** Each scale in use is tried. `columns`: those that are to be decimals; without sum, it is written as words. */
function planDecimals(rows: HourRows, columns: readonly Column[], planner: ColumnPlanner): ValuesPlan | undefined {
  const digits = rows.min.slice().fill(0)
  for (const values of columns) {
    for (let row = 0; row < values.length; row++) {
      digits[row] = Math.max(digits[row] as number, digitsOf(values[row] as number))
    }
  }
  let best: ValuesPlan | undefined
  for (const tried of new Set(digits)) {
    if (tried > digitsMax || digits.filter((needed) => needed > tried).length > oddMinutesMax) continue
    best = smallest(best, planScale(rows, { columns, digits: tried }, planner))
  }
  return best
}

function planScale(
  rows: HourRows,
  { columns, digits }: { columns: readonly Column[]; digits: number },
  planner: ColumnPlanner,
): ValuesPlan | undefined {
  const decimals = columns.map((values) => scaledColumn(values, digits))
  const odd: number[] = []
  for (let row = 0; row < rows.counts.length; row++) {
    if (decimals.some((numbers) => Number.isNaN(numbers[row]))) odd.push(row)
  }
  if (odd.length > oddMinutesMax) return undefined
  const [min, max, sum] = decimals.map((numbers) => withoutOdd(numbers, odd)) as [Column, Column, Column | undefined]
  const bounds = [partOf([planner.plan(min)]), planMax({ min, max }, planner)]
  const sums = sum ? planSum(rows.counts, { min, max, sum }, planner) : planSumWords(rows.sum, odd, planner)
  return assemble([...bounds, sums], { digits, odd })
}

/** What stands apart repeats its neighbour here, which costs least. */
function withoutOdd(numbers: Column, odd: readonly number[]): Column {
  if (odd.length === 0) return numbers
  let kept = numbers.find((_, row) => !odd.includes(row)) ?? 0
  return numbers.map((number, row) => {
    if (!odd.includes(row)) kept = number
    return kept
  })
}

function planMax({ min, max }: { min: Column; max: Column }, planner: ColumnPlanner): Part | undefined {
  const above = partOf([planner.plan(less(max, min))])
  return smallest(above, partOf([planner.plan(max)], { flags: flagMaxAlone }))
}

function less(numbers: Column, others: Column): Column {
  const differences = new Float64Array(numbers.length)
  for (let row = 0; row < numbers.length; row++) differences[row] = (numbers[row] as number) - (others[row] as number)
  return differences
}

function planSum(
  counts: HourRows['counts'],
  { min, max, sum }: { min: Column; max: Column; sum: Column },
  planner: ColumnPlanner,
): Part | undefined {
  const forms = [new Float64Array(sum.length), new Float64Array(sum.length), new Float64Array(sum.length)] as const
  for (let row = 0; row < sum.length; row++) {
    const [count, least, number] = [counts[row] as number, min[row] as number, sum[row] as number]
    forms[sumAboveMin][row] = number - exact(count * least)
    forms[sumAboveFirst][row] = number - exact(count * (min[0] as number))
    forms[sumAboveMiddle][row] = 2 * number - exact(count * (least + (max[row] as number)))
  }
  const parts = forms.map((numbers, sumForm) => partOf([planner.plan(numbers)], { sumForm }))
  return smallest(...parts)
}

/** A product beyond what doubles hold exactly was rounded, and would be when it is read: no column takes NaN. */
const exact = (product: number): number => (Number.isSafeInteger(product) ? product : Number.NaN)

function planSumWords(sum: Column, odd: readonly number[], planner: ColumnPlanner): Part | undefined {
  const columns = wordsOf(sum).map((words) => planner.plan(withoutOdd(words, odd)))
  return partOf(columns, { flags: flagSumWords })
}

/** Always possible. */
function planWords({ min, max, sum }: HourRows, planner: ColumnPlanner): ValuesPlan | undefined {
  const [minUpper, minLower] = wordsOf(min)
  const [maxUpper, maxLower] = wordsOf(max)
  const above = partOf([planner.plan(less(maxUpper, minUpper)), planner.plan(less(maxLower, minLower))])
  const alone = partOf([planner.plan(maxUpper), planner.plan(maxLower)], { flags: flagMaxAlone })
  const mins = partOf([planner.plan(minUpper), planner.plan(minLower)], { flags: flagWords })
  return assemble([mins, smallest(above, alone), planSumWords(sum, [], planner)], { digits: 0, odd: [] })
}

/** Undefined when a column has no plan. */
function partOf(
  columns: readonly (ColumnPlan | undefined)[],
  { flags = 0, sumForm = 0 }: { flags?: number; sumForm?: number } = {},
): Part | undefined {
  const planned = columns.filter((column) => column !== undefined)
  if (planned.length < columns.length) return undefined
  return { size: planned.reduce((bytes, { size }) => bytes + size, 0), flags, sumForm, columns: planned }
}

function assemble(
  parts: readonly (Part | undefined)[],
  { digits, odd }: { digits: number; odd: readonly number[] },
): ValuesPlan | undefined {
  const planned = parts.filter((part) => part !== undefined)
  if (planned.length < parts.length) return undefined
  return {
    size: planned.reduce((bytes, { size }) => bytes + size, odd.length === 0 ? 0 : 1 + odd.length * oddBytes),
    flags: planned.reduce((flags, part) => flags | part.flags, odd.length === 0 ? 0 : flagOdd),
    sumForm: planned.reduce((form, part) => form | part.sumForm, 0),
    columns: planned.flatMap(({ columns }) => columns),
    digits,
    odd,
  }
}
