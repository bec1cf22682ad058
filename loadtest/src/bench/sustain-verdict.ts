/** Whether a process kept up with what it was sent; pure. Instants and durations are real time unless they say otherwise. */

/** One look at the process and the sender, every some seconds. */
export interface Look {
  /** Since the measured time began, s. */
  readonly atS: number
  readonly acceptedSamples: number
  /** How late the sender's last batch left: it waits when too many are unanswered. */
  readonly senderBehindS: number
  /** By how much minutes are complete later than lateness alone would have it. */
  readonly readerBehindS: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly residentBytes: number
  readonly windowBytes: number
}

export interface SustainLimits {
  readonly samplesPerS: number
  readonly p99Ms: number
  readonly windowBytes: number
  /** Of the whole process. */
  readonly residentBytes: number
}

export interface SustainOutcome {
  readonly looks: readonly Look[]
  readonly wallS: number
  readonly samples: number
  /** Of all requests of the measured time. */
  readonly p99Ms: number
  readonly peakBytes: number
}

export interface Verdict {
  readonly name: string
  readonly isKept: boolean
  readonly found: string
}

/** Of what was asked: the last batches are acknowledged after the last moment. */
const rateShareMin = 0.99
/** What a garbage collection or a checkpoint may add at the moment of a look. */
const slackS = 1

export function judgeSustained(
  { looks, wallS, samples, p99Ms, peakBytes }: SustainOutcome,
  limits: SustainLimits,
): Verdict[] {
  const rate = samples / wallS
  const windowBytes = Math.max(0, ...looks.map((look) => look.windowBytes))
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)
  return [
    {
      name: `at least ${rateShareMin * 100} % of ${thousands(limits.samplesPerS)} k samples/s`,
      isKept: rate >= limits.samplesPerS * rateShareMin,
      found: `${thousands(rate)} k samples/s over ${wallS.toFixed(0)} s`,
    },
    growth(
      'the sender falls behind no further',
      looks.map(({ senderBehindS }) => senderBehindS),
    ),
    growth(
      'the reader falls behind no further',
      looks.map(({ readerBehindS }) => readerBehindS),
    ),
    {
      name: `p99 of the POST at most ${limits.p99Ms} ms`,
      isKept: p99Ms <= limits.p99Ms,
      found: `${p99Ms.toFixed(0)} ms`,
    },
    {
      name: `open minutes within ${megabytes(limits.windowBytes)} MB`,
      isKept: windowBytes <= limits.windowBytes,
      found: `${megabytes(windowBytes)} MB at most`,
    },
    {
      name: `Node within ${megabytes(limits.residentBytes)} MB, all its bounds together`,
      isKept: peakBytes <= limits.residentBytes,
      found: `${megabytes(peakBytes)} MB at most`,
    },
  ]
}

/** Medians of the first and the last third, so that one pause does not decide. */
function growth(name: string, behindS: readonly number[]): Verdict {
  const third = Math.ceil(behindS.length / 3)
  const [first, last] = [middleOf(behindS.slice(0, third)), middleOf(behindS.slice(-third))]
  return {
    name,
    isKept: behindS.length > 0 && last <= first + slackS,
    found: `${first.toFixed(1)} s in the first third, ${last.toFixed(1)} s in the last`,
  }
}

function middleOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function thousands(value: number): string {
  return (value / 1e3).toFixed(0)
}
