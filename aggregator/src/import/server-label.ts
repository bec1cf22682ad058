/** Which of a series' labels is its server: the first of those that are asked for and that it has; the others stay labels. Pure. */
import type { Mapping } from './line-parser.ts'

export interface Owned {
  /** Undefined: none of them is there, and no default was given. */
  readonly serverId: unknown
  readonly labels: Readonly<Record<string, unknown>>
}

export function serverOf(
  labels: Readonly<Record<string, unknown>>,
  mapping: Pick<Mapping, 'serverLabels' | 'serverId'>,
): Owned {
  const name = mapping.serverLabels.find((label) => Object.hasOwn(labels, label) && labels[label] !== '')
  if (name === undefined) return { serverId: mapping.serverId, labels }
  const { [name]: serverId, ...others } = labels
  return { serverId, labels: others }
}
