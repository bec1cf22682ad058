/** Which stretch of time: the usual ranges, any other from a dialog, steps to and fro, and the way out of a zoom. */
import { Button, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { Dialog } from './dialog.tsx'
import { clock, clockNear, day, timeZoneText } from './instant-text.ts'
import { fromLocalInput, toLocalInput } from './local-instant.ts'
import { Notice } from './notice.tsx'
import { ranges, resetZoom, shift, type View, type Window } from './time-range.ts'

interface RangePickerProps {
  readonly view: View
  readonly window: Window
  readonly nowMs: number
  readonly onView: (view: View) => void
}

export function RangePicker({ view, window, nowMs, onView }: RangePickerProps) {
  const [isAsking, setAsking] = useState(false)
  return (
    <>
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
        <button type="button" title="From and to" data-on={view.kind === 'between'} onClick={() => setAsking(true)}>
          Other…
        </button>
      </fieldset>
      <span className="range-shift">
        <Button
          size="compact-sm"
          variant="default"
          aria-label="Earlier"
          title="Earlier, by half of what is shown ( { )"
          onClick={() => onView(shift(view, -1, nowMs))}
        >
          ‹
        </Button>
        <Button
          size="compact-sm"
          variant="default"
          aria-label="Later"
          title="Later, by half of what is shown ( } )"
          disabled={view.kind === 'last'}
          onClick={() => onView(shift(view, 1, nowMs))}
        >
          ›
        </Button>
      </span>
      {view.kind === 'between' && (
        <span className="toolbar-zoom">
          {clockNear(view.fromMs, nowMs)} – {zoomEnd(view, nowMs)}
          <Button size="compact-sm" variant="default" onClick={() => onView(resetZoom(view))} title="0, or Escape">
            Reset zoom
          </Button>
        </span>
      )}
      {isAsking && (
        <RangeDialog
          window={window}
          nowMs={nowMs}
          onClose={() => setAsking(false)}
          onRange={(fromMs, toMs) => {
            setAsking(false)
            onView({ kind: 'between', range: view.range, fromMs, toMs })
          }}
        />
      )}
    </>
  )
}

interface RangeDialogProps {
  readonly window: Window
  readonly nowMs: number
  readonly onClose: () => void
  readonly onRange: (fromMs: number, toMs: number) => void
}

function RangeDialog({ window, nowMs, onClose, onRange }: RangeDialogProps) {
  const [from, setFrom] = useState(() => toLocalInput(window.fromMs))
  const [to, setTo] = useState(() => toLocalInput(Math.min(window.toMs, nowMs)))
  const [problem, setProblem] = useState<string>()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const [fromMs, toMs] = [fromLocalInput(from), fromLocalInput(to)]
    if (fromMs === undefined || toMs === undefined) setProblem('Fill in both ends.')
    else if (fromMs >= toMs) setProblem('It has to begin before it ends.')
    else onRange(fromMs, toMs)
  }
  return (
    <Dialog title="Another range" onClose={onClose}>
      <form className="range-form" onSubmit={submit} noValidate>
        <TextInput
          type="datetime-local"
          label="From"
          data-autofocus
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput type="datetime-local" label="To" value={to} onChange={(event) => setTo(event.currentTarget.value)} />
        <p className="dim">Times in {timeZoneText(nowMs)}</p>
        {problem !== undefined && <Notice tone="bad">{problem}</Notice>}
        <div className="note-buttons">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit">Show</Button>
        </div>
      </form>
    </Dialog>
  )
}

/** Without its day when that is the one of the start. */
function zoomEnd({ fromMs, toMs }: { fromMs: number; toMs: number }, nowMs: number): string {
  return day(fromMs) === day(toMs) ? clock(toMs) : clockNear(toMs, nowMs)
}
