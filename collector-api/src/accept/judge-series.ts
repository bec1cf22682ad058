/**
 * Whether a server's name, a metric's name and labels are what schema/src/limits.ts allows. Verdicts are values; details
 * say what was wrong and what would be right, and never repeat more than a few words of what was sent.
 */
import { ownServerPrefix } from '@minutely/schema/ingest-names'
import {
  controlCharacterPattern,
  labelNameLengthMax,
  labelNamePattern,
  labelsPerSeriesMax,
  labelValueBytesMax,
  metricIdLengthMax,
  metricIdPattern,
  serverIdLengthMax,
  serverIdPattern,
} from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import type { SeriesRef } from '@minutely/schema/series-identity'

export type SeriesVerdict =
  | { readonly kind: 'accepted'; readonly series: SeriesRef }
  | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly detail: string }

const noLabels: SeriesRef['labels'] = Object.freeze(Object.create(null))

/** Null when it is a server's name, else what is wrong with it. */
export function serverIdProblem(serverId: unknown): string | null {
  if (typeof serverId !== 'string') return `serverId must be a string like "web-17", not ${shown(serverId)}`
  if (serverId.length > serverIdLengthMax) {
    return `serverId has ${serverId.length} characters, the limit is ${serverIdLengthMax}`
  }
  if (serverId.startsWith(ownServerPrefix)) {
    return `serverId ${shown(serverId)}: names that begin with ${ownServerPrefix} are Minutely's own, take another`
  }
  if (serverIdPattern.test(serverId)) return null
  return `serverId ${shown(serverId)} must start with a letter or digit and go on with letters, digits and . _ : @ -`
}

export function judgeSeries(metricId: unknown, labels: unknown): SeriesVerdict {
  const metricProblem = metricIdProblem(metricId)
  if (metricProblem !== null) return { kind: 'rejected', reason: 'metric-id-invalid', detail: metricProblem }
  if (labels === undefined) return { kind: 'accepted', series: { metricId: metricId as string, labels: noLabels } }
  const labelProblem = labelsProblem(labels)
  if (labelProblem !== null) return { kind: 'rejected', reason: 'labels-invalid', detail: labelProblem }
  return { kind: 'accepted', series: { metricId: metricId as string, labels: labels as SeriesRef['labels'] } }
}

function metricIdProblem(metricId: unknown): string | null {
  if (typeof metricId !== 'string') return `metricId must be a string like "system.cpu.load", not ${shown(metricId)}`
  if (metricId.length > metricIdLengthMax) {
    return `metricId has ${metricId.length} characters, the limit is ${metricIdLengthMax}`
  }
  if (metricIdPattern.test(metricId)) return null
  return `metricId ${shown(metricId)} must start with a letter or _ and go on with letters, digits and _ . : / -`
}

function labelsProblem(labels: unknown): string | null {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    return `labels must be an object of strings like {"disk":"sda"}, not ${shown(labels)}`
  }
  const entries = Object.entries(labels)
  if (entries.length > labelsPerSeriesMax) {
    return `there are ${entries.length} labels, the limit is ${labelsPerSeriesMax}`
  }
  for (const [name, value] of entries) {
    const problem = labelProblem(name, value)
    if (problem !== null) return problem
  }
  return null
}

function labelProblem(name: string, value: unknown): string | null {
  if (name.length > labelNameLengthMax) {
    return `a label's name has ${name.length} characters, the limit is ${labelNameLengthMax}`
  }
  if (!labelNamePattern.test(name)) {
    return `label ${shown(name)} must start with a letter or a single _ and go on with letters, digits and _ . / -`
  }
  if (typeof value !== 'string') return `label ${shown(name)} must be a string, not ${shown(value)}`
  if (value === '') return `label ${shown(name)} is empty: leave it out`
  // A string's UTF-8 is at least as long as the string: most need no measuring.
  if (value.length * 3 > labelValueBytesMax && Buffer.byteLength(value) > labelValueBytesMax) {
    return `label ${shown(name)} has ${Buffer.byteLength(value)} bytes of UTF-8, the limit is ${labelValueBytesMax}`
  }
  if (controlCharacterPattern.test(value)) return `label ${shown(name)} holds a control character`
  if (!value.isWellFormed()) return `label ${shown(name)} holds half of a surrogate pair`
  return null
}

const shownLengthMax = 60

/** Short, whatever was sent. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length <= shownLengthMax ? value : `${value.slice(0, shownLengthMax)}…`)
  }
  if (typeof value !== 'object' || value === null) return String(value)
  return Array.isArray(value) ? 'an array' : 'an object'
}
