/** What somebody typed as an annotation, on its way to the API, which judges it. */
import type { Annotation, NewAnnotation } from '@minutely/schema/annotation-wire'
import type { ChartMark } from '../chart-marks.ts'
import { fromLocalInput } from '../local-instant.ts'
import { matchesGlob } from '../sections.ts'

/** About what: everything, or the server or metric that the page is about. */
export type About = 'everything' | 'server' | 'metric'

export interface AnnotationScope {
  readonly serverId?: string
  readonly metricId?: string
}

export interface AnnotationDraft {
  /** As inputs hold them (local-instant.ts); an empty end is an instant. */
  readonly start: string
  readonly end: string
  readonly text: string
  /** Between commas or blanks. */
  readonly tags: string
  readonly about: About
}

export type DraftVerdict =
  | { readonly kind: 'ok'; readonly annotation: NewAnnotation }
  | { readonly kind: 'wrong'; readonly message: string }

export function annotationOf(draft: AnnotationDraft, scope: AnnotationScope): DraftVerdict {
  const [startMs, endMs] = [fromLocalInput(draft.start), fromLocalInput(draft.end)]
  if (startMs === undefined) return { kind: 'wrong', message: 'Say when it was.' }
  if (draft.end !== '' && endMs === undefined)
    return { kind: 'wrong', message: 'The end is no time; leave it empty for an instant.' }
  if (endMs !== undefined && endMs < startMs) return { kind: 'wrong', message: 'It ends before it starts.' }
  const text = draft.text.trim()
  if (text === '') return { kind: 'wrong', message: 'Say what happened.' }
  const tags = draft.tags.split(/[\s,]+/).filter(Boolean)
  return {
    kind: 'ok',
    annotation: {
      startMs,
      text,
      ...(endMs === undefined || endMs === startMs ? {} : { endMs }),
      ...(tags.length === 0 ? {} : { tags }),
      ...(draft.about === 'server' && scope.serverId !== undefined ? { serverGlob: scope.serverId } : {}),
      ...(draft.about === 'metric' && scope.metricId !== undefined ? { metricGlob: scope.metricId } : {}),
    },
  }
}

/** Those that are about one of these servers (undefined: any) and this metric (undefined: any). */
export function marksOf(
  annotations: readonly Annotation[],
  about: { readonly serverIds?: readonly string[]; readonly metricId?: string },
): ChartMark[] {
  return annotations
    .filter(({ serverGlob, metricGlob }) => {
      const { serverIds, metricId } = about
      const isServer =
        serverGlob === null || serverIds === undefined || serverIds.some((id) => matchesGlob(serverGlob, id))
      return isServer && (metricGlob === null || metricId === undefined || matchesGlob(metricGlob, metricId))
    })
    .map(({ annotationId, startMs, endMs, text }) => ({ key: String(annotationId), startMs, endMs, text }))
}
