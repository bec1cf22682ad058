/**
 * Which fault comes next in a lane, and after how long a pause: from the seed alone. Pure.
 *
 * Each lane draws from a bag that holds every kind of the lane as often as its weight says, in an order of the seed, and fills
 * the bag again when it is empty: so each kind comes once before one comes again. How long a fault lasts depends on the
 * machine; the order does not.
 */
import type { FaultKind, Lane } from './fault-kind.ts'
import { SeededRandom } from './seeded-random.ts'

export interface ScheduledFault<World> {
  readonly kind: FaultKind<World>
  readonly pauseMs: number
  readonly random: SeededRandom
}

/** Between two faults of a lane, ms. */
const pauses: Readonly<Record<Lane, readonly [min: number, max: number]>> = {
  collectors: [2_000, 10_000],
  aggregators: [3_000, 15_000],
  flushes: [1_000, 5_000],
  sealing: [5_000, 15_000],
  'query-apis': [15_000, 40_000],
  postgres: [5_000, 25_000],
  redis: [5_000, 20_000],
  kafka: [25_000, 60_000],
  hosts: [3_000, 15_000],
  process: [1_000, 8_000],
}

/** Without end. */
export function* scheduleOf<World>(
  kinds: readonly FaultKind<World>[],
  { lane, seed }: { lane: Lane; seed: number },
): Generator<ScheduledFault<World>, void, void> {
  const random = new SeededRandom(seed ^ hashOf(lane))
  const all = kinds.flatMap((kind) => (kind.lane === lane ? Array.from({ length: kind.weight }, () => kind) : []))
  const [pauseMsMin, pauseMsMax] = pauses[lane]
  while (all.length > 0) {
    for (const kind of random.shuffled(all)) {
      const pauseMs = random.between(pauseMsMin, pauseMsMax)
      yield { kind, pauseMs, random: new SeededRandom(Math.floor(random.next() * 2 ** 31)) }
    }
  }
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return hash
}
