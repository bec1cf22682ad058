/**
 * Query parameters, strictly: an unknown one, one given twice that may stand once, an empty or malformed one is an
 * error that says what would be right. A typo must never silently mean the default.
 *
 * Lists may be repeated, comma-separated, or both: `agg=min&agg=max` and `agg=min,max` are the same.
 */
import { ApiError } from '@minutely/schema/error-catalogue'

/** `label.<name>=value` (label-filter.ts). */
export const labelPrefix = 'label.'
const listLengthMax = 200

export class Parameters {
  readonly #values = new Map<string, readonly string[]>()

  /** `known` are the names of the route; 'label.' in it allows label filters. */
  constructor(raw: unknown, known: readonly string[]) {
    for (const [name, value] of Object.entries(raw as Record<string, string | string[]>)) {
      const isLabel = known.includes(labelPrefix) && name.startsWith(labelPrefix) && name !== labelPrefix
      if (!isLabel && (!known.includes(name) || name === labelPrefix)) throw unknownParameter(name, known)
      const values = Array.isArray(value) ? value : [value]
      if (values.length > listLengthMax) {
        throw invalid(name, `is given ${values.length} times, at most ${listLengthMax} are read`)
      }
      this.#values.set(name, values)
    }
  }

  single(name: string): string | undefined {
    const values = this.#values.get(name)
    if (values === undefined) return undefined
    if (values.length > 1) throw invalid(name, `is given ${values.length} times, it may stand once`)
    const [value = ''] = values
    if (value === '') throw invalid(name, 'is empty; leave it out or give it a value')
    return value
  }

  /** Empty when absent. */
  list(name: string): string[] {
    const items = (this.#values.get(name) ?? []).flatMap((value) => value.split(','))
    if (items.some((item) => item === '')) throw invalid(name, 'has an empty item; write e.g. a,b')
    if (items.length > listLengthMax)
      throw invalid(name, `has ${items.length} items, at most ${listLengthMax} are read`)
    return [...new Set(items)]
  }

  integer(name: string, bounds: { min: number; max: number; default: number }): number {
    const text = this.single(name)
    if (text === undefined) return bounds.default
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= bounds.min && value <= bounds.max)) {
      throw invalid(name, `is ${show(text)}, it must be a whole number from ${bounds.min} to ${bounds.max}`)
    }
    return value
  }

  /** One of the words; undefined when absent. */
  word<const W extends string>(name: string, words: readonly W[]): W | undefined {
    const text = this.single(name)
    if (text === undefined) return undefined
    const word = words.find((candidate) => candidate === text)
    if (word === undefined) throw invalid(name, `is ${show(text)}, it must be one of ${words.join(', ')}`)
    return word
  }

  /** All values of a parameter that may stand more than once, never split at commas; empty when absent. */
  repeated(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** Those that are called `label.<name>`. */
  labels(): { readonly parameter: string; readonly label: string; readonly values: readonly string[] }[] {
    return [...this.#values]
      .filter(([name]) => name.startsWith(labelPrefix))
      .map(([parameter, values]) => ({ parameter, label: parameter.slice(labelPrefix.length), values }))
  }
}

export function invalid(name: string, problem: string): ApiError {
  return new ApiError('parameter-invalid', `The parameter ${show(name)} ${problem}`, { details: { parameter: name } })
}

/** As sent, quoted, and short enough for a message. */
export function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text)
}

function unknownParameter(name: string, known: readonly string[]): ApiError {
  const shown = known.filter((candidate) => candidate !== labelPrefix)
  return invalid(
    name,
    shown.length === 0 ? 'is unknown; this route has none' : `is unknown; there are ${shown.join(', ')}`,
  )
}
