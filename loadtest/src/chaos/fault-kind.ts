/**
 * What a kind of fault is: a name, what of the world it breaks, and how. To add one, write another such object in one of the
 * files faults-on-*.ts; the schedule, the table, the report and `--list` find it in that file's list.
 *
 * A fault puts back what it broke before it ends, also when it is cut short (`signal`): whoever stopped a server starts it.
 * Kinds of one lane run one after the other, lanes beside each other. Durations in ms.
 */
import type { SeededRandom } from './seeded-random.ts'
import type { StrangeHosts } from './strange-hosts.ts'
import type { Tally } from './tally.ts'

export const lanes = [
  'collectors',
  'aggregators',
  'flushes',
  'sealing',
  'query-apis',
  'postgres',
  'redis',
  'kafka',
  'hosts',
  'process',
] as const
export type Lane = (typeof lanes)[number]

export interface FaultContext<World> {
  readonly world: World
  /** Of this fault alone, so that what one does changes nothing for others. */
  readonly random: SeededRandom
  /** Aborts when the faults are to end. */
  readonly signal: AbortSignal
  readonly tally: Tally
  readonly strangers: StrangeHosts
  /** Shown as it happens. */
  readonly say: (message: string) => void
  /** To be called when commits of the database are gone, before anybody can read it again. */
  readonly onCommitsLost: () => void
  /** At most so long, however long an outage the fault would like. */
  readonly outageMsMax: number
  /** If it was asked for: how long a server is away, exactly. */
  readonly serverOutageMs: number | undefined
  /** To be called when a server that was away is back. */
  readonly onServerBack: () => void
  /** Ends early when the signal aborts; never rejects. */
  sleep(durationMs: number): Promise<void>
}

export interface FaultKind<World> {
  readonly name: string
  readonly lane: Lane
  /** What happens, for `--list`. */
  readonly describes: string
  /** How often it is in the lane's bag of kinds. */
  readonly weight: number
  /** @returns whether it happened: not when it was cut short before, or found nothing to break. */
  run(context: FaultContext<World>): Promise<boolean>
}
