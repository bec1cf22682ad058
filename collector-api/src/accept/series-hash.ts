/**
 * A series' identity -> 53 bits, in a number: what active-series.ts remembers of it. Keyed, with a key that is random for each
 * process, so that nobody can prepare names that share a hash; the rounds are those of HalfSipHash, made for this purpose
 * (https://github.com/veorq/SipHash), one a word and three at the end. About 0.8 us of CPU for 60
 * characters, a third of what node:crypto takes for so little.
 */
export interface HashKey {
  readonly low: number
  readonly high: number
}

/** Of 64 bits, those that a double holds exactly. */
const highValues = 2 ** 21
const lowValues = 2 ** 32
const finalRounds = 3

export function seriesHash(identity: string, key: HashKey): number {
  const { length } = identity
  // Two UTF-16 units a word, then the length, which keeps "a" and "a\0" apart.
  const wordCount = ((length + 1) >> 1) + 1
  let v0 = key.low
  let v1 = key.high ^ 0xee
  let v2 = 0x6c796765 ^ key.low
  let v3 = 0x74656463 ^ key.high
  let low = 0
  for (let at = 0; at < wordCount + 2 * finalRounds; at++) {
    const unit = at * 2
    let word = 0
    if (unit < length)
      word = identity.charCodeAt(unit) | ((unit + 1 < length ? identity.charCodeAt(unit + 1) : 0) << 16)
    else if (at === wordCount - 1) word = length
    else if (at === wordCount) v2 ^= 0xee
    else if (at === wordCount + finalRounds) {
      low = (v1 ^ v3) >>> 0
      v1 ^= 0xdd
    }
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return (((v1 ^ v3) >>> 0) % highValues) * lowValues + low
}
