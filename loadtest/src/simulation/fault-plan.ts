/**
 * Which faults a run has, drawn from its seed: each kind is absent from many runs, so that the others also meet calm
 * surroundings. Probabilities are per request, statement or append; counts are events of the whole run, at instants drawn later.
 */
import { SimRandom } from './sim-random.ts'

const hourMs = 3_600_000

export interface FaultPlan {
  /** Agents send for so long, and faults happen for so long, ms. */
  readonly sendingMs: number
  readonly faultyMs: number
  /** One process, and log and store are one database (sim-embedded-log.ts). */
  readonly embedded: boolean
  readonly serverCount: number
  readonly aggregatorCount: number
  readonly topicCount: number
  readonly partitionCount: number
  /** Partitions a topic has from the middle of the run on. */
  readonly partitionCountLater: number
  /** Of a host's clock, ms, one a server. */
  readonly hostSkewsMs: readonly number[]
  /** Of the machines of collectors and aggregators. */
  readonly processSkewMsMax: number
  readonly requestLost: number
  readonly answerLost: number
  readonly requestDoubled: number
  readonly requestSlow: number
  readonly appendFails: number
  readonly appendSlow: number
  readonly readFails: number
  readonly statementFails: number
  readonly commitAnswerLost: number
  readonly statementSlow: number
  readonly pushFails: number
  readonly agentCrashes: number
  readonly collectorCrashes: number
  readonly aggregatorCrashes: number
  readonly aggregatorPauses: number
  /** Shares are moved between living members: for a while a partition has two owners. */
  readonly rebalances: number
  readonly storeOutages: number
  readonly storeRewinds: number
  readonly commitsLost: number
  readonly ringFlushes: number
  readonly ringRestarts: number
  readonly retentionOverruns: number
  readonly topicsMadeAnew: number
  /** Records of the log that end whoever folds them, and that do not decode (sim-bad-records.ts). */
  readonly deadlyRecords: number
  readonly poisonRecords: number
  /** Minutes are sealed, in spans of so many, so long after they are over (sim-sealer.ts). */
  readonly sealing: boolean
  readonly sealSpanMinutes: number
  readonly sealDelayMs: number
  /** Minutes older than that are dropped. */
  readonly retentionMs: number
  /** Few rows a partition and small reads: minutes go early, batches end anywhere. */
  readonly tight: boolean
}

/** Of it a process crashes only as a whole, the database is no other machine's, and nobody else has a share. */
export const embeddedPlan = {
  embedded: true,
  aggregatorCount: 1,
  topicCount: 1,
  collectorCrashes: 0,
  aggregatorCrashes: 4,
  aggregatorPauses: 0,
  rebalances: 0,
  storeRewinds: 0,
  retentionOverruns: 0,
  topicsMadeAnew: 0,
} satisfies Partial<FaultPlan>

export function drawFaultPlan(seed: number): FaultPlan {
  const plan = drawDistributedPlan(seed)
  const isEmbedded = new SimRandom(seed ^ 0xe3bed).chance(0.1)
  return isEmbedded ? { ...plan, ...embeddedPlan, partitionCountLater: plan.partitionCount } : plan
}

function drawDistributedPlan(seed: number): FaultPlan {
  const random = new SimRandom(seed ^ 0x5eed)
  // Kinds that came later have a stream of their own: the rest of a seed's plan stays what it was.
  const ofRecords = new SimRandom(seed ^ 0xbad)
  const ofSealing = new SimRandom(seed ^ 0x5ea1)
  /** Absent, or up to the given. */
  const rate = (max: number): number => (random.chance(0.5) ? 0 : max * random.next())
  const count = (max: number, share = 0.5): number => (random.chance(share) ? random.between(1, max) : 0)
  const serverCount = random.between(2, 4)
  const partitionCount = random.between(1, 2)
  const sendingMs = random.between(120, 300) * 1_000
  return {
    embedded: false,
    sendingMs,
    faultyMs: sendingMs + random.between(0, 60_000),
    serverCount,
    aggregatorCount: random.between(1, 3),
    topicCount: random.between(1, 2),
    partitionCount,
    partitionCountLater: partitionCount + (random.chance(0.2) ? 1 : 0),
    hostSkewsMs: Array.from({ length: serverCount }, () => hostSkewMs(random)),
    processSkewMsMax: random.chance(0.5) ? 0 : 300,
    requestLost: rate(0.3),
    answerLost: rate(0.3),
    requestDoubled: rate(0.2),
    requestSlow: rate(0.3),
    appendFails: rate(0.2),
    appendSlow: rate(0.2),
    readFails: rate(0.1),
    statementFails: rate(0.1),
    commitAnswerLost: rate(0.3),
    statementSlow: rate(0.2),
    pushFails: rate(0.5),
    agentCrashes: count(2, 0.3),
    collectorCrashes: count(3),
    aggregatorCrashes: count(5, 0.6),
    aggregatorPauses: count(3),
    rebalances: count(4),
    storeOutages: count(2, 0.3),
    storeRewinds: count(3, 0.4),
    commitsLost: random.between(1, 12),
    ringFlushes: count(2, 0.3),
    ringRestarts: count(2, 0.3),
    retentionOverruns: count(1, 0.1),
    topicsMadeAnew: count(1, 0.1),
    deadlyRecords: ofRecords.chance(0.1) ? ofRecords.between(1, 2) : 0,
    poisonRecords: ofRecords.chance(0.1) ? ofRecords.between(1, 4) : 0,
    sealing: ofSealing.chance(0.4),
    sealSpanMinutes: ofSealing.between(1, 3),
    sealDelayMs: ofSealing.pick([0, 5_000, 30_000]),
    retentionMs: ofSealing.chance(0.5) ? ofSealing.between(60, 180) * 1_000 : 48 * hourMs,
    tight: random.chance(0.3),
  }
}

/** Where nothing is bad runs are not counted either: the seeds from before it are the same runs. */
export function hasBadRecords({ deadlyRecords, poisonRecords }: FaultPlan): boolean {
  return deadlyRecords + poisonRecords > 0
}

/** Half of the hosts are right; the others a little or very wrong. More than 5 min ahead is refused by the collector. */
function hostSkewMs(random: SimRandom): number {
  if (random.chance(0.5)) return 0
  return random.pick([
    random.between(-8_000, 8_000),
    random.between(-180_000, 270_000),
    -random.between(1, 24) * 3_600_000,
    3_600_000,
  ])
}
