/** What is typed is what is sent, and an annotation is on the charts that it is about. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Annotation } from '@minutely/schema/annotation-wire'
import { fromLocalInput, toLocalInput } from '../local-instant.ts'
import { type AnnotationDraft, annotationOf, marksOf } from './annotation-draft.ts'

const atMs = 1_764_028_800_000
const draft: AnnotationDraft = {
  start: toLocalInput(atMs),
  end: '',
  text: ' web 1.2 ',
  tags: 'release, web',
  about: 'server',
}

test('a draft becomes what the API takes, or says what is missing', () => {
  const scope = { serverId: 'web-1' }
  const made = annotationOf(draft, scope)
  assert.deepEqual(made, {
    kind: 'ok',
    annotation: { startMs: atMs, text: 'web 1.2', tags: ['release', 'web'], serverGlob: 'web-1' },
  })
  const range = annotationOf({ ...draft, end: toLocalInput(atMs + 60_000), tags: '', about: 'everything' }, scope)
  assert.deepEqual(range, { kind: 'ok', annotation: { startMs: atMs, endMs: atMs + 60_000, text: 'web 1.2' } })
  for (const wrong of [{ start: '' }, { text: ' ' }, { end: toLocalInput(atMs - 60_000) }, { end: 'soon' }])
    assert.equal(annotationOf({ ...draft, ...wrong }, scope).kind, 'wrong')
})

test('minutes survive the input', () => {
  assert.equal(fromLocalInput(toLocalInput(atMs)), atMs)
  assert.equal(fromLocalInput(''), undefined)
})

test('globs decide where an annotation is shown', () => {
  const annotation = (annotationId: number, serverGlob: string | null, metricGlob: string | null): Annotation => {
    return { annotationId, startMs: atMs, endMs: atMs, text: 'x', tags: [], serverGlob, metricGlob, createdMs: atMs }
  }
  const all = [annotation(1, null, null), annotation(2, 'web-*', null), annotation(3, null, 'system.cpu.*')]
  const keys = (about: Parameters<typeof marksOf>[1]) => marksOf(all, about).map(({ key }) => key)
  assert.deepEqual(keys({}), ['1', '2', '3'])
  assert.deepEqual(keys({ serverIds: ['db-1'], metricId: 'system.cpu.utilization' }), ['1', '3'])
  assert.deepEqual(keys({ serverIds: ['db-1', 'web-2'], metricId: 'app.requests' }), ['1', '2'])
})
