/**
 * Which format a client asked for: the Accept header of RFC 9110 section 12.5.1, as far as a choice between a few
 * types needs it (weights, wildcards; parameters other than q are ignored). Absent or unclear means JSON.
 */
import { ApiError } from '@minutely/schema/error-catalogue'

interface Wanted {
  readonly type: string
  readonly weight: number
}

/** Of equal weights the type that `offered` names first. @throws ApiError not-acceptable. */
export function chooseFormat<const F extends string>(accept: string | undefined, offered: readonly [F, ...F[]]): F {
  if (accept === undefined || accept.trim() === '') return offered[0]
  const wanted = accept.split(',', 50).map(parseItem)
  let best: { format: F; weight: number } | undefined
  for (const format of offered) {
    const weight = weightOf(format, wanted)
    if (weight > (best?.weight ?? 0)) best = { format, weight }
  }
  if (best !== undefined) return best.format
  throw new ApiError(
    'not-acceptable',
    `This answer exists as ${offered.join(', ')}; the Accept header allows none of them. Leave it out for ${offered[0]}`,
    { details: { offered } },
  )
}

/** Whether the client takes this type at all; one that says nothing takes anything. */
export function accepts(accept: string | undefined, type: string): boolean {
  if (accept === undefined || accept.trim() === '') return true
  return weightOf(type, accept.split(',', 50).map(parseItem)) > 0
}

function parseItem(item: string): Wanted {
  const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  const weight = q === undefined ? 1 : Number(q)
  return { type, weight: weight >= 0 && weight <= 1 ? weight : 0 }
}

/** The most specific item decides, so that `text/csv;q=0, *` + `/*` means anything but CSV. */
function weightOf(format: string, wanted: readonly Wanted[]): number {
  const family = `${format.split('/')[0]}/*`
  for (const type of [format, family, '*/*']) {
    const item = wanted.find((candidate) => candidate.type === type)
    if (item !== undefined) return item.weight
  }
  return 0
}
