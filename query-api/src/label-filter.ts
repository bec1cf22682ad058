/**
 * Label filters: `label=<name>:<value>`, where `*` in the value is any number of characters and a leading `!` turns it round.
 * Plain values of one name are alternatives, turned ones each have to hold, names add up:
 *
 *   label=cpu.mode:user&label=cpu.mode:sys*    the mode is user, or begins with sys
 *   label=cpu.mode:!idle                       it is not idle; series without a mode are among these
 *   label=device:*    label=device:!*          there is a device, there is none
 *
 * `\` before `*`, `!` or `\` makes it stand for itself. A name has no colon, so the first one ends it. `label.<name>=<value>` is
 * the older form, for exactly that value.
 *
 * A pattern is what stands between its stars, so SQL (selectorSql) and JavaScript (matchesLabels) need no common syntax.
 */
import { labelNameLengthMax, labelNamePattern, labelValueBytesMax } from '@minutely/schema/limits'
import type { Labels } from '@minutely/schema/series-identity'
import { invalid, labelPrefix, type Parameters, show } from './parameters.ts'

/** ['a'] is exactly `a`, ['a', ''] begins with it, ['', ''] is anything. */
export type Pattern = readonly string[]

export interface LabelFilter {
  /** Empty: any value, none included. */
  readonly accepted: readonly Pattern[]
  readonly refused: readonly Pattern[]
}

export type LabelFilters = ReadonlyMap<string, LabelFilter>

/** The names of these parameters, for Parameters. */
export const labelParameters: readonly string[] = ['label', labelPrefix]

export function readLabelFilters(parameters: Parameters): LabelFilters {
  const filters = new Map<string, { accepted: Pattern[]; refused: Pattern[] }>()
  const filterOf = (name: string) => {
    const filter = filters.get(name) ?? { accepted: [], refused: [] }
    filters.set(name, filter)
    return filter
  }
  for (const { parameter, label, values } of parameters.labels()) {
    checkName(parameter, label)
    for (const value of values) {
      checkValue(parameter, value)
      filterOf(label).accepted.push([value])
    }
  }
  for (const text of parameters.repeated('label')) {
    const colon = text.indexOf(':')
    if (colon < 1) {
      throw invalid('label', `is ${show(text)}; write name:value, e.g. cpu.mode:user, cpu.mode:!idle or device:sd*`)
    }
    const [name, value] = [text.slice(0, colon), text.slice(colon + 1)]
    checkName('label', name)
    checkValue('label', value)
    const isTurned = value.startsWith('!')
    const filter = filterOf(name)
    const patterns = isTurned ? filter.refused : filter.accepted
    patterns.push(parsePattern(isTurned ? value.slice(1) : value))
  }
  return filters
}

export function matchesLabels(filters: LabelFilters, labels: Labels): boolean {
  for (const [name, { accepted, refused }] of filters) {
    const value = Object.hasOwn(labels, name) ? labels[name] : undefined
    const matches = (pattern: Pattern): boolean => value !== undefined && matchesPattern(pattern, value)
    if ((accepted.length > 0 && !accepted.some(matches)) || refused.some(matches)) return false
  }
  return true
}

/** Each part as far left as it goes: right, for the last one is held against the end. */
export function matchesPattern(pattern: Pattern, text: string): boolean {
  const [first = '', ...others] = pattern
  const last = others.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  let from = first.length
  for (const part of others) {
    const at = text.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return text.length - from >= last.length && text.endsWith(last)
}

/** Conditions on the column `labels`; appends its values to `values`, whose places it names. */
export function labelsSql(filters: LabelFilters, values: unknown[]): string[] {
  const like = (name: string, patterns: readonly Pattern[]): string =>
    `labels ->> $${values.push(name)}::text like any($${values.push(patterns.map(likeOf))}::text[])`
  return [...filters].flatMap(([name, { accepted, refused }]) => [
    ...(accepted.length > 0 ? [like(name, accepted)] : []),
    // Null, and so true, where there is no such label.
    ...(refused.length > 0 ? [`(${like(name, refused)}) is not true`] : []),
  ])
}

function likeOf(pattern: Pattern): string {
  return pattern.map((part) => part.replace(/[\\%_]/g, '\\$&')).join('%')
}

function parsePattern(text: string): Pattern {
  const parts = ['']
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (character === '*') {
      parts.push('')
      continue
    }
    if (character === '\\' && !/^[*!\\]$/.test(text[++at] ?? '')) {
      throw invalid('label', `is ${show(text)}; \\ stands before *, ! or \\ only, write \\\\ for itself`)
    }
    parts.push(`${parts.pop()}${text[at]}`)
  }
  return parts
}

export function checkName(parameter: string, name: string): void {
  if (name.length <= labelNameLengthMax && labelNamePattern.test(name)) return
  throw invalid(parameter, `does not name a label (${show(name)}); names match ${labelNamePattern.source}`)
}

/** Twice the bytes of a value: each may have its backslash. */
function checkValue(parameter: string, value: string): void {
  const bytesMax = parameter === 'label' ? 2 * labelValueBytesMax : labelValueBytesMax
  const bytes = Buffer.byteLength(value)
  if (bytes > 0 && bytes <= bytesMax && value !== '!' && !value.includes('\0')) return
  throw invalid(parameter, `has a value of ${bytes} bytes, it must be 1 to ${bytesMax} without NUL`)
}
