/**
 * Names under which Minutely keeps what it counted of its own ingest (docs/decisions/0024-ingest-health.md). Part of what is stored:
 * they do not change.
 */

/** Server ids that begin with it are Minutely's own: refused from others, and left out of lists of servers. */
export const ownServerPrefix = 'minutely:'
export const ingestServerId = 'minutely:ingest'

export const ingestMetrics = {
  /** How many since the sample before it; labels outcome, source, and of rejected ones reason and host. */
  samples: 'minutely.ingest.samples',
  /** Refused as a whole, as many since the sample before it; labels error, source. */
  requests: 'minutely.ingest.requests',
  /** How far the slowest partition of an aggregator is behind; label source. */
  lag: 'minutely.ingest.lag_seconds',
} as const
export type IngestMetric = keyof typeof ingestMetrics

export const ingestOutcomes = ['accepted', 'rejected', 'late', 'conflicting'] as const
export type IngestOutcome = (typeof ingestOutcomes)[number]

/** In the place of a host. Neither is a server id. */
export const otherHosts = '(other hosts)'
export const noValidHost = '(no valid name)'
