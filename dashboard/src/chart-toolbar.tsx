/**
 * Stays on top of a page of charts while scrolling. First the range and what the page searches by; below it what the page offers
 * besides, the annotations, and what a point and the hatching mean.
 */
import { type ReactNode, useState } from 'react'
import { AnnotationBar } from './annotations/annotation-bar.tsx'
import { AnnotationList } from './annotations/annotation-list.tsx'
import type { Annotations } from './annotations/use-annotations.ts'
import { RangePicker } from './range-picker.tsx'
import { stepText } from './time-range.ts'
import type { ViewControl } from './use-view.ts'
import './chart-page.css'

interface ChartToolbarProps {
  readonly control: ViewControl
  /** Of what is drawn, when that is coarser than the window's. */
  readonly stepMs?: number | undefined
  readonly annotations: Annotations
  readonly nowMs: number
  readonly syncKey: string
  readonly search?: ReactNode
  readonly offers?: ReactNode
  /** What has to be seen however far one scrolled. */
  readonly children?: ReactNode
}

export function ChartToolbar(props: ChartToolbarProps) {
  const { control, annotations, nowMs, syncKey, search, offers, children } = props
  const { view, window, show } = control
  const stepMs = Math.max(props.stepMs ?? 0, window.stepMs)
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <div className="toolbar">
        <div className="toolbar-row">
          <RangePicker view={view} window={window} nowMs={nowMs} onView={show} />
          {search}
        </div>
        <div className="toolbar-row toolbar-second">
          {offers}
          <span className="toolbar-end">
            <AnnotationBar
              annotations={annotations}
              isOpen={isOpen}
              onOpen={setOpen}
              window={window}
              nowMs={nowMs}
              syncKey={syncKey}
            />
            <span className="toolbar-step" data-testid="step" data-step-ms={stepMs}>
              Each point: {stepText(stepMs)}
            </span>
            <span className="legend-open">
              <span className="legend-hatch" aria-hidden="true" /> Provisional
            </span>
          </span>
        </div>
        {children}
      </div>
      {isOpen && <AnnotationList annotations={annotations} nowMs={nowMs} />}
    </>
  )
}
