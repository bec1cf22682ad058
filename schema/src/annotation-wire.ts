/**
 * Annotations: what people note beside the charts (a release, an incident), as the query API takes and answers them. Instants
 * are ms since the epoch; a range is half-open, endMs = startMs is an instant.
 */
import { z } from 'zod'
import { metricIdLengthMax, metricIdPattern, serverIdLengthMax, serverIdPattern } from './limits.ts'

export const annotationTextLengthMax = 2000
export const annotationTagsMax = 20
/** End of the year 9999: the last instant RFC 3339 can write. */
export const instantMaxMs = 253_402_300_799_999

const instantMs = z.int().min(0).max(instantMaxMs)
/** A name in which `*` may stand for any number of characters. */
const globOf = (namePattern: RegExp, lengthMax: number) =>
  z
    .string()
    .max(lengthMax)
    .regex(new RegExp(namePattern.source.replaceAll('[', '[*')), 'a name, in which * may stand for any characters')
export const annotationTag = z
  .string()
  .max(50)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/, 'letters, digits and _ . : / -')
  .describe('e.g. release')

const serverGlob = globOf(serverIdPattern, serverIdLengthMax)
const metricGlob = globOf(metricIdPattern, metricIdLengthMax)

export const newAnnotation = z
  .strictObject({
    startMs: instantMs,
    endMs: instantMs.optional().describe('Absent: an instant'),
    text: z
      .string()
      .min(1)
      .max(annotationTextLengthMax)
      .refine((text) => !text.includes('\0') && text.isWellFormed(), 'well-formed Unicode without NUL'),
    tags: z.array(annotationTag).max(annotationTagsMax).optional(),
    serverGlob: serverGlob.optional().describe('Which servers it is about, e.g. `web-*`; absent: every one'),
    metricGlob: metricGlob.optional().describe('Which metrics it is about; absent: every one'),
  })
  .refine(({ startMs, endMs = startMs }) => endMs >= startMs, { path: ['endMs'], error: 'must not be before startMs' })
  .meta({ id: 'NewAnnotation' })

export const annotation = z
  .object({
    annotationId: z.int(),
    startMs: z.int(),
    endMs: z.int(),
    text: z.string(),
    tags: z.array(z.string()),
    serverGlob: z.string().nullable(),
    metricGlob: z.string().nullable(),
    createdMs: z.int(),
  })
  .meta({ id: 'Annotation' })

export const annotationsAnswer = z
  .object({ annotations: z.array(annotation), nextCursor: z.string().nullable() })
  .meta({ id: 'AnnotationsAnswer' })

export type NewAnnotation = z.infer<typeof newAnnotation>
export type Annotation = z.infer<typeof annotation>
export type AnnotationsAnswer = z.infer<typeof annotationsAnswer>
