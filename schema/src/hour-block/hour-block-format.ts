/**
 * The constants of hour blocks that the writing and the reading side share. Their meaning is in docs/formats.md, "hour block"; a released
 * one never changes, a new version gets its own.
 */
export const hourBlockVersion = 1

/** Second byte of a block: presence and seen are modes, the rest are flags. */
export const presenceMask = 0x03
export const presenceWhole = 0
export const presencePattern = 1
export const seenShift = 2
export const seenMask = 0x03
export const seenWhole = 0
export const seenAlike = 1
export const seenMostlyAlike = 2
export const seenEach = 3
/** min and max as words; then sum is as words too. */
export const flagWords = 0x10
export const flagSumWords = 0x20
export const flagOdd = 0x40
/** max is written as it is, not as what it is above min. */
export const flagMaxAlone = 0x80

/** Third byte of a block. */
export const digitsMask = 0x0f
export const sumFormShift = 4
export const sumAboveMin = 0
export const sumAboveFirst = 1
export const sumAboveMiddle = 2

/** Nearly all of what a double has. */
export const digitsMax = 15
/** Powers of ten up to 10^22 are doubles. */
export const powersOfTen: readonly number[] = Array.from({ length: digitsMax + 1 }, (_, digits) =>
  Number(`1e${digits}`),
)
export const oddMinutesMax = 15

/** First byte of a column. */
export const columnWidthMask = 0x3f
export const columnStepped = 0x40
export const columnExtended = 0x80
/** All of a column of zeros: a width that no other column has. */
export const columnZeros = 0x3f
export const columnWidthMax = 53
/** Second byte of a column that is extended; the other bits count its patches. */
export const extendedDivisor = 0x80
export const extendedPatchMask = 0x3f

/** First byte of a pattern: the kind above, an argument below. */
export const patternKindShift = 6
export const patternArgumentMask = 0x3f
export const patternRun = 0
export const patternGap = 1
export const patternStride = 2
export const patternBits = 3
