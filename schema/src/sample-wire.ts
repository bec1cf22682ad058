/**
 * `POST /v1/samples`: the JSON shapes, the answer and the reasons a sample can be refused. The shapes describe a
 * request in which nothing is wrong; the collector judges each sample on its own (accept-batch.ts), so that a bad one
 * never takes its neighbours down. Instants are ms since the epoch.
 */
import { z } from 'zod'
import {
  controlCharacterPattern,
  labelNameLengthMax,
  labelNamePattern,
  labelsPerSeriesMax,
  labelValueBytesMax,
  metricIdLengthMax,
  metricIdPattern,
  serverIdLengthMax,
  serverIdPattern,
  valueMax,
} from './limits.ts'

export const avroContentType = 'application/avro'

export const serverId = z.string().max(serverIdLengthMax).regex(serverIdPattern).describe('The host, e.g. web-17')
export const metricId = z
  .string()
  .max(metricIdLengthMax)
  .regex(metricIdPattern)
  .describe('OpenTelemetry name, e.g. system.cpu.utilization')
const labelValue = z
  .string()
  .min(1)
  .max(labelValueBytesMax)
  .refine(
    (value) => new TextEncoder().encode(value).length <= labelValueBytesMax && value.isWellFormed(),
    `at most ${labelValueBytesMax} bytes of UTF-8`,
  )
  .refine((value) => !controlCharacterPattern.test(value), 'no control characters')
export const labels = z
  .record(z.string().max(labelNameLengthMax).regex(labelNamePattern), labelValue)
  .refine((map) => Object.keys(map).length <= labelsPerSeriesMax, `at most ${labelsPerSeriesMax} labels`)
  .describe('Part of the identity of a series, e.g. {"cpu.mode":"user"}')
const value = z.number().min(-valueMax).max(valueMax)
const instantMs = z.int().describe('ms since the epoch')

export const columnsRequest = z
  .object({
    serverId,
    startMs: instantMs.optional().describe('Time of the first value, for series without their own'),
    stepMs: z.int().min(1).optional().describe('Distance between values in ms, default 1000'),
    series: z.array(
      z.object({
        metricId,
        labels: labels.optional(),
        startMs: instantMs.optional(),
        stepMs: z.int().min(1).optional(),
        values: z.array(value.nullable()).describe('null is a gap'),
      }),
    ),
  })
  .meta({ id: 'SamplesAsColumns', title: 'Columns: one server, values on a time grid' })

export const rowsRequest = z
  .object({
    samples: z.array(z.object({ serverId, metricId, labels: labels.optional(), value, ts: instantMs })),
  })
  .meta({ id: 'SamplesAsRows', title: 'Rows: one object per sample' })

/** Why one sample was refused. Words are fixed: they are metric labels and clients' switch cases. */
export const rejectReasons = [
  'series-malformed',
  'server-id-invalid',
  'metric-id-invalid',
  'labels-invalid',
  'value-not-a-number',
  'value-not-finite',
  'value-too-large',
  'time-invalid',
  'time-in-future',
  'time-too-old',
  'series-per-request',
  'series-limit',
] as const
export type RejectReason = (typeof rejectReasons)[number]

export const rejection = z
  .object({
    metricId: z.string().describe('As sent, shortened if it is very long'),
    reason: z.enum(rejectReasons),
    count: z.int().min(1).describe('Samples refused for this reason'),
    detail: z
      .string()
      .describe(
        'Which was the first of them, what was wrong with it, and what would be right, e.g. "samples[3]: a value must be ..."',
      ),
    firstIndex: z
      .int()
      .min(0)
      .optional()
      .describe('Its index in `samples` or `series`; in Avro in the list of blocks or series that `detail` names'),
    serverId: z
      .string()
      .optional()
      .describe('Its server, when the request is about several; as sent, shortened if it is very long'),
  })
  .meta({ id: 'Rejection' })

export const samplesAnswer = z
  .object({
    accepted: z.int().min(0).describe('Samples that are now durable'),
    rejected: z.array(rejection).describe('Empty when all was well; at most 100 entries'),
  })
  .meta({ id: 'SamplesAnswer' })

export type Rejection = z.infer<typeof rejection>
export type SamplesAnswer = z.infer<typeof samplesAnswer>
