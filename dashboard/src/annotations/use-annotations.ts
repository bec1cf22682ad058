/** The annotations of what a page shows: read again every minute and after a change, by whoever it was. */
import type { Annotation, AnnotationsAnswer, NewAnnotation } from '@minutely/schema/annotation-wire'
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ask, read } from '../api.ts'
import { minuteMs, type View, windowOf } from '../time-range.ts'
import type { AnnotationScope } from './annotation-draft.ts'

/** Of one range; more would be no marks but a carpet. */
export const listedMax = 500
const rootKey = 'annotations'
const none: readonly Annotation[] = []

export interface Annotations {
  readonly list: readonly Annotation[]
  readonly hasMore: boolean
  readonly error: Error | null
  readonly retry: () => void
  /** Key of the mark that somebody points at in the list. */
  readonly litKey: string | undefined
  readonly setLitKey: (key: string | undefined) => void
  readonly scope: AnnotationScope
}

export function useAnnotations(scope: AnnotationScope, view: View, nowMs: number): Annotations {
  const [litKey, setLitKey] = useState<string>()
  const { data, error, refetch } = useQuery({
    queryKey: [rootKey, scope, view],
    queryFn: ({ signal }) => {
      const { fromMs, toMs } = windowOf(view, nowMs)
      const params = new URLSearchParams({ from: String(fromMs), limit: String(listedMax) })
      if (view.kind === 'between') params.set('to', String(toMs))
      if (scope.serverId !== undefined) params.set('serverId', scope.serverId)
      if (scope.metricId !== undefined) params.set('metricId', scope.metricId)
      return read<AnnotationsAnswer>(`/v1/annotations?${params}`, signal)
    },
    placeholderData: keepPreviousData,
    refetchInterval: minuteMs,
  })
  const { annotations = none, nextCursor = null } = data ?? {}
  return {
    list: annotations,
    hasMore: nextCursor !== null,
    error,
    retry: () => void refetch(),
    litKey,
    setLitKey,
    scope,
  }
}

export function useAddAnnotation() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (annotation: NewAnnotation) =>
      ask<Annotation>('/v1/annotations', {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(annotation),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: [rootKey] }),
    networkMode: 'always',
  })
}

export function useRemoveAnnotation() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (annotationId: number) => ask<void>(`/v1/annotations/${annotationId}`, { method: 'DELETE' }),
    // Also after a failure: somebody else may have been faster.
    onSettled: () => queries.invalidateQueries({ queryKey: [rootKey] }),
    networkMode: 'always',
  })
}
