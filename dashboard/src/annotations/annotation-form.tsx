/** A dialog that notes what happened: when, what, tags, and what it is about. Errors of the API as it says them. */
import { Button, Textarea, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { Dialog } from '../dialog.tsx'
import { timeZoneText } from '../instant-text.ts'
import { toLocalInput } from '../local-instant.ts'
import { asSentence, Notice } from '../notice.tsx'
import { type About, type AnnotationDraft, type AnnotationScope, annotationOf } from './annotation-draft.ts'
import { useAddAnnotation } from './use-annotations.ts'

interface AnnotationFormProps {
  readonly scope: AnnotationScope
  /** Where the crosshair was, or now. */
  readonly atMs: number
  readonly shown: { readonly fromMs: number; readonly toMs: number }
  readonly onClose: () => void
}

export function AnnotationForm({ scope, atMs, shown, onClose }: AnnotationFormProps) {
  const abouts: readonly { about: About; text: string }[] = [
    ...(scope.serverId === undefined ? [] : [{ about: 'server' as const, text: scope.serverId }]),
    ...(scope.metricId === undefined ? [] : [{ about: 'metric' as const, text: scope.metricId }]),
    { about: 'everything', text: 'Everything' },
  ]
  const [draft, setDraft] = useState<AnnotationDraft>({
    start: toLocalInput(atMs),
    end: '',
    text: '',
    tags: '',
    about: abouts[0]?.about ?? 'everything',
  })
  const [missing, setMissing] = useState<string>()
  const add = useAddAnnotation()
  const change = (part: Partial<AnnotationDraft>) => {
    setDraft({ ...draft, ...part })
    setMissing(undefined)
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const verdict = annotationOf(draft, scope)
    if (verdict.kind === 'wrong') setMissing(verdict.message)
    else add.mutate(verdict.annotation, { onSuccess: onClose })
  }
  const problem = missing ?? (add.error === null ? undefined : asSentence(add.error.message))

  return (
    <Dialog title="Annotate" onClose={onClose}>
      <form className="note-form" onSubmit={submit} noValidate>
        <Textarea
          label="What happened"
          placeholder="Released web 1.2"
          data-autofocus
          rows={3}
          value={draft.text}
          onChange={(event) => change({ text: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit()
          }}
        />
        <div className="note-times">
          <TextInput
            type="datetime-local"
            label="At"
            value={draft.start}
            onChange={(event) => change({ start: event.currentTarget.value })}
          />
          <TextInput
            type="datetime-local"
            label="Until (if it took time)"
            value={draft.end}
            onChange={(event) => change({ end: event.currentTarget.value })}
          />
        </div>
        <p className="dim note-zone">
          Times in {timeZoneText(atMs)}.{' '}
          <button
            type="button"
            className="link"
            onClick={() => change({ start: toLocalInput(shown.fromMs), end: toLocalInput(shown.toMs) })}
          >
            Take the shown range
          </button>
        </p>
        <TextInput
          label="Tags"
          placeholder="release, web"
          value={draft.tags}
          onChange={(event) => change({ tags: event.currentTarget.value })}
        />
        {abouts.length > 1 && (
          <fieldset className="note-about">
            <legend>About</legend>
            {abouts.map(({ about, text }) => (
              <label key={about}>
                <input type="radio" name="about" checked={draft.about === about} onChange={() => change({ about })} />{' '}
                {text}
              </label>
            ))}
          </fieldset>
        )}
        {problem !== undefined && <Notice tone="bad">{problem}</Notice>}
        <div className="note-buttons">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={add.isPending}>
            {add.isPending ? 'Adding…' : 'Add'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
