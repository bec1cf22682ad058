/** The annotations of the shown range, newest first: the form of the marks on the charts that can be read, focused and deleted. */
import { Button } from '@mantine/core'
import type { Annotation } from '@minutely/schema/annotation-wire'
import { useState } from 'react'
import { clock, clockNear, day } from '../instant-text.ts'
import { asSentence, Notice } from '../notice.tsx'
import { type Annotations, listedMax, useRemoveAnnotation } from './use-annotations.ts'

export function AnnotationList({ annotations, nowMs }: { annotations: Annotations; nowMs: number }) {
  const remove = useRemoveAnnotation()
  const { list, hasMore, error, retry } = annotations
  return (
    <section className="notes" aria-label="Annotations">
      {error !== null && (
        <Notice tone="bad" onRetry={retry}>
          {asSentence(error.message)}
        </Notice>
      )}
      {remove.error !== null && <Notice tone="bad">{asSentence(remove.error.message)}</Notice>}
      {list.length === 0 && error === null && (
        <p className="dim">Nothing is noted in this range. Press a, or Annotate, to note a release or an incident.</p>
      )}
      <ul>
        {list.toReversed().map((annotation) => (
          <Entry
            key={annotation.annotationId}
            annotation={annotation}
            nowMs={nowMs}
            onLit={annotations.setLitKey}
            onRemove={() => remove.mutate(annotation.annotationId)}
          />
        ))}
      </ul>
      {hasMore && <p className="dim">These are the first {listedMax} of the range; zoom in for the others.</p>}
    </section>
  )
}

interface EntryProps {
  readonly annotation: Annotation
  readonly nowMs: number
  readonly onLit: (key: string | undefined) => void
  readonly onRemove: () => void
}

function Entry({ annotation, nowMs, onLit, onRemove }: EntryProps) {
  const [isAsked, setAsked] = useState(false)
  const { annotationId, text, tags, serverGlob, metricGlob } = annotation
  const light = () => onLit(String(annotationId))
  const dark = () => onLit(undefined)
  const about = [serverGlob, metricGlob].filter((glob) => glob !== null).join(' · ')
  return (
    <li
      className="note"
      data-testid="annotation"
      onPointerEnter={light}
      onPointerLeave={dark}
      onFocus={light}
      onBlur={dark}
    >
      <time dateTime={new Date(annotation.startMs).toISOString()}>{timesText(annotation, nowMs)}</time>
      <span className="note-text">{text}</span>
      {tags.map((tag) => (
        <span key={tag} className="note-tag">
          {tag}
        </span>
      ))}
      {about !== '' && <span className="dim">{about}</span>}
      <Button
        className="note-remove"
        size="compact-xs"
        variant="default"
        aria-label={`${isAsked ? 'Really delete' : 'Delete'} “${text}”`}
        onClick={() => (isAsked ? onRemove() : setAsked(true))}
        onBlur={() => setAsked(false)}
      >
        {isAsked ? 'Really?' : 'Delete'}
      </Button>
    </li>
  )
}

export function timesText({ startMs, endMs }: { startMs: number; endMs: number }, nowMs: number): string {
  if (endMs === startMs) return clockNear(startMs, nowMs)
  const end = day(startMs) === day(endMs) ? clock(endMs) : clockNear(endMs, nowMs)
  return `${clockNear(startMs, nowMs)} – ${end}`
}
