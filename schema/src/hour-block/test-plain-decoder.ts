/**
 * A second decoder of hour blocks, written from docs/formats.md alone: as plain as it can be, exact by BigInt, believing what it reads. It
 * shares no line with the real one, and notes which parts of the format a block uses.
 */
export interface PlainMinute {
  readonly minute: number
  readonly seen: bigint
  readonly min: number
  readonly max: number
  readonly sum: number
}

export function decodePlainly(bytes: Buffer): { minutes: PlainMinute[]; features: Set<string> } {
  const features = new Set<string>()
  let at = 0
  const byte = (): number => bytes.readUInt8(at++)
  const number = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const next = byte()
      value |= BigInt(next & 127) << shift
      if (next < 128) return value
    }
  }
  const signed = (): bigint => {
    const value = number()
    return value % 2n === 1n ? -(value / 2n) : value / 2n
  }
  const double = (): number => {
    at += 8
    return bytes.readDoubleLE(at - 8)
  }
  const pattern = (): bigint => {
    const kind = bytes.readUInt8(at) >> 6
    features.add(`pattern of kind ${kind}`)
    if (kind === 3) {
      at += 8
      return bytes.readBigUInt64BE(at - 8) & (2n ** 60n - 1n)
    }
    const [a, b] = [byte() & 63, byte()]
    const isMember = (index: number): boolean =>
      kind === 2 ? index >= a && (index - a) % b === 0 : (kind === 0) === (index >= a && index <= b)
    return setOf(sixty.filter(isMember))
  }
  const column = (count: number): bigint[] => {
    const head = byte()
    if (head === 63) {
      features.add('column of zeros')
      return Array.from({ length: count }, () => 0n)
    }
    const [width, isStepped] = [head & 63, (head & 64) !== 0]
    const extended = (head & 128) !== 0 ? byte() : 0
    const base = signed()
    const first = isStepped ? [signed()] : []
    const divisor = (extended & 128) !== 0 ? number() : 1n
    const packedCount = count - first.length
    features.add(isStepped ? 'stepped column' : 'plain column')
    if (width > 25) features.add('wide column')
    if (divisor > 1n) features.add('divided column')
    const size = Math.ceil((packedCount * width) / 8)
    const bits = [...bytes.subarray(at, at + size)].reduceRight((all, next) => (all << 8n) | BigInt(next), 0n)
    at += size
    const packed = Array.from({ length: packedCount }, (_, index) => {
      return (bits >> BigInt(index * width)) & (2n ** BigInt(width) - 1n)
    })
    for (let left = extended & 63; left > 0; left--) {
      features.add('patched column')
      packed[byte()] = signed()
    }
    const numbers = packed.map((value) => base + divisor * value)
    if (!isStepped) return numbers
    let before = first[0] ?? 0n
    return [before, ...numbers.map((step) => (before += step))]
  }

  if (byte() !== 1) throw new Error('not version 1')
  const [flags, scale] = [byte(), byte()]
  const [areWords, isSumWords, isMaxAlone] = [(flags & 16) !== 0, (flags & 32) !== 0, (flags & 128) !== 0]
  const sumForm = scale >> 4
  features.add(`presence ${flags & 3}`).add(`seen ${(flags >> 2) & 3}`)
  features.add(areWords ? 'words' : isSumWords ? 'sum as words' : `sum of form ${sumForm}`)
  features.add(`max ${isMaxAlone ? 'alone' : 'above min'}${areWords ? ' as words' : ''}`)
  const present = membersOf((flags & 3) === 0 ? 2n ** 60n - 1n : pattern())
  const count = present.length

  const seenMode = (flags >> 2) & 3
  const usual = seenMode === 0 ? 2n ** 60n - 1n : seenMode === 3 ? 0n : pattern()
  const seen = present.map(() => (seenMode === 3 ? pattern() : usual))
  if (seenMode === 2) for (let left = byte(); left > 0; left--) seen[byte()] = pattern()

  const power = 10 ** (scale & 15)
  const above = (numbers: bigint[], others: bigint[]): bigint[] =>
    isMaxAlone ? numbers : numbers.map((value, index) => value + (others[index] ?? 0n))
  const words = (upper: bigint[], lower: bigint[]): number[] => {
    const bits = new DataView(new ArrayBuffer(8))
    return upper.map((value, index) => {
      bits.setBigUint64(0, (value << 32n) | (lower[index] ?? 0n))
      return bits.getFloat64(0)
    })
  }
  let min: number[]
  let max: number[]
  let sum: number[] = []
  if (areWords) {
    const [minUpper, minLower] = [column(count), column(count)]
    min = words(minUpper, minLower)
    max = words(above(column(count), minUpper), above(column(count), minLower))
  } else {
    const least = column(count)
    const greatest = above(column(count), least)
    min = least.map((value) => Number(value) / power)
    max = greatest.map((value) => Number(value) / power)
    if (!isSumWords) {
      sum = column(count).map((value, index) => {
        const [low, high] = [least[index] ?? 0n, greatest[index] ?? 0n]
        const samples = BigInt(membersOf(seen[index] ?? 0n).length)
        if (sumForm === 2) return Number((value + samples * (low + high)) / 2n) / power
        return Number(value + samples * (sumForm === 0 ? low : (least[0] ?? 0n))) / power
      })
    }
  }
  if (isSumWords) sum = words(column(count), column(count))
  const minutes = present.map((minute, index) => {
    return { minute, seen: seen[index] ?? 0n, min: min[index] ?? 0, max: max[index] ?? 0, sum: sum[index] ?? 0 }
  })
  if ((flags & 64) !== 0) {
    features.add('odd minutes')
    for (let left = byte(); left > 0; left--) {
      const minute = byte()
      const odd = { min: double(), max: double(), sum: double() }
      const index = minutes.findIndex((other) => other.minute === minute)
      const replaced = minutes[index]
      if (replaced !== undefined) minutes[index] = { ...replaced, ...odd }
    }
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes are left`)
  return { minutes, features }
}

const sixty = Array.from({ length: 60 }, (_, index) => index)
const setOf = (members: readonly number[]): bigint => members.reduce((set, member) => set | (1n << BigInt(member)), 0n)
const membersOf = (set: bigint): number[] => sixty.filter((member) => (set >> BigInt(member)) % 2n === 1n)
