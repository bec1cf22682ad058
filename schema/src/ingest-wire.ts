/** `GET /v1/ingest`: what came in, what was refused and how late the rest is. Instants are ms since the epoch, intervals half-open. */
import { z } from 'zod'
import { seriesAnswer } from './query-wire.ts'
import { rejectReasons } from './sample-wire.ts'

const counts = z.array(z.number().nullable()).describe('One slot per step from startMs; null where nobody reported')
const total = z.number().describe('Over the range')

export const ingestAnswer = seriesAnswer
  .omit({ series: true })
  .extend({
    nowMs: z.int(),
    lag: z
      .object({
        partitionCount: z.int(),
        worstMs: z.int().nullable().describe('Of the slowest partition; null before any has closed a minute'),
        partitions: z
          .array(z.object({ topic: z.string(), partition: z.int(), completeThroughMs: z.int(), lagMs: z.int() }))
          .describe('The slowest, at most 20'),
      })
      .describe('Now minus complete-through: 10 to 70 s are as it should be, a minute closes 10 s after its end'),
    logGapCount: z.int().describe('Stretches of the log that were gone before they were read, noticed in the range'),
    accepted: counts.describe('Samples that were made durable, in each step'),
    late: counts.describe('Samples merged into minutes that were closed already'),
    conflicting: counts.describe('Samples dropped because their second had another value already'),
    lagSeconds: counts.describe('Of the slowest partition, the highest that was reported in each step'),
    rejected: z
      .array(z.object({ reason: z.enum(rejectReasons), total, counts }))
      .describe('By reason, most first; counts add up to all that was refused'),
    requests: z
      .array(z.object({ error: z.string().describe('An id of docs/errors.md'), total, counts }))
      .describe('Requests that were refused as a whole; a 503 comes again, and its samples are in none of the above'),
    hosts: z
      .array(
        z.object({
          host: z.string().describe('A server id, `(other hosts)`, or `(no valid name)`'),
          total,
          lastMs: z.int().describe('Start of the last step with one'),
          reasons: z.array(z.object({ reason: z.enum(rejectReasons), total })).describe('Most first'),
        }),
      )
      .describe('Hosts with refused samples, most first, at most 100'),
    sources: z
      .array(
        z.object({
          source: z.string().describe('A collector or aggregator'),
          lastMs: z.int(),
          accepted: z.number(),
          rejected: z.number(),
          late: z.number(),
          conflicting: z.number(),
          requests: z.number(),
        }),
      )
      .describe('Processes that reported in the range, by name'),
  })
  .meta({ id: 'IngestAnswer' })

export type IngestAnswer = z.infer<typeof ingestAnswer>
