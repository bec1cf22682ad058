/** In the toolbar: how many annotations there are, which opens their list, and a way to add one. */
import { Button } from '@mantine/core'
import { useState } from 'react'
import { crosshairMs } from '../chart.tsx'
import { useKeys } from '../keys.ts'
import { minuteMs, type Window } from '../time-range.ts'
import { AnnotationForm } from './annotation-form.tsx'
import type { Annotations } from './use-annotations.ts'
import './annotations.css'

interface AnnotationBarProps {
  readonly annotations: Annotations
  readonly isOpen: boolean
  readonly onOpen: (isOpen: boolean) => void
  readonly window: Window
  readonly nowMs: number
  readonly syncKey: string
}

export function AnnotationBar({ annotations, isOpen, onOpen, window, nowMs, syncKey }: AnnotationBarProps) {
  const [formAtMs, setFormAtMs] = useState<number>()
  const { list, error } = annotations
  const openForm = () => {
    const defaultMs = Math.min(nowMs, window.toMs - minuteMs)
    setFormAtMs(Math.floor((crosshairMs(syncKey) ?? defaultMs) / minuteMs) * minuteMs)
  }
  useKeys({ a: openForm })
  return (
    <span className="note-bar">
      <button type="button" className="link" aria-expanded={isOpen} onClick={() => onOpen(!isOpen)}>
        {error !== null ? 'Annotations unknown' : countText(list.length)}
      </button>
      <Button size="compact-xs" variant="default" title="Annotate (a)" onClick={openForm}>
        Annotate
      </Button>
      {formAtMs !== undefined && (
        <AnnotationForm
          scope={annotations.scope}
          atMs={formAtMs}
          shown={window}
          onClose={() => setFormAtMs(undefined)}
        />
      )}
    </span>
  )
}

function countText(count: number): string {
  if (count === 0) return 'No annotations'
  return count === 1 ? '1 annotation' : `${count} annotations`
}
