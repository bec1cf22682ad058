/** Stays on top while scrolling: the range, a way out of a zoom, the metric filter, and a jump to each section. */
import { Button, TextInput } from '@mantine/core'
import type { ReactNode, Ref } from 'react'
import { clock, clockNear, day } from '../instant-text.ts'
import type { Section } from '../sections.ts'
import { ranges, resetZoom, type View } from '../time-range.ts'

interface ToolbarProps {
  readonly ref: Ref<HTMLInputElement>
  readonly view: View
  readonly filter: string
  readonly sections: readonly Section[]
  readonly nowMs: number
  readonly onView: (view: View) => void
  readonly onFilter: (text: string) => void
  /** What has to be seen however far one scrolled. */
  readonly children?: ReactNode
}

export function Toolbar({ ref, view, filter, sections, nowMs, onView, onFilter, children }: ToolbarProps) {
  return (
    <div className="toolbar">
      <fieldset className="ranges">
        <legend>Range</legend>
        {ranges.map(({ name, label, title }) => (
          <label key={name} title={title}>
            <input
              type="radio"
              name="range"
              value={name}
              aria-label={title}
              checked={view.kind === 'last' && view.range === name}
              onChange={() => onView({ kind: 'last', range: name })}
            />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
      {view.kind === 'between' && (
        <span className="toolbar-zoom">
          {clockNear(view.fromMs, nowMs)} – {zoomEnd(view, nowMs)}
          <Button size="compact-sm" variant="default" onClick={() => onView(resetZoom(view))} title="Escape">
            Reset zoom
          </Button>
        </span>
      )}
      <TextInput
        ref={ref}
        className="toolbar-filter"
        type="search"
        size="xs"
        aria-label="Filter metrics"
        placeholder="Filter metrics  ( / )"
        value={filter}
        onChange={(event) => onFilter(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return
          onFilter('')
          event.currentTarget.blur()
        }}
      />
      <nav className="jumps" aria-label="Sections">
        {sections.map(({ id, title }) => (
          <a key={id} href={`#${id}`}>
            {title}
          </a>
        ))}
      </nav>
      <span className="legend-open">
        <span className="legend-hatch" aria-hidden="true" /> Provisional: still open
      </span>
      {children}
    </div>
  )
}

/** Without its day when that is the one of the start. */
function zoomEnd({ fromMs, toMs }: { fromMs: number; toMs: number }, nowMs: number): string {
  return day(fromMs) === day(toMs) ? clock(toMs) : clockNear(toMs, nowMs)
}
