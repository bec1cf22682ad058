/** Asks a query API for a host's minutes and finds each series' minute in the answer. */
import type { SeriesAnswer, SeriesColumns } from '@minutely/schema/query-wire'
import { seriesKey } from '@minutely/schema/series-identity'
import { minuteMs } from './delivery-ledger.ts'
import type { FoundMinute } from './minute-verdict.ts'

const requestTimeoutMs = 15_000

export interface MinutesQuestion {
  readonly serverId: string
  /** Whole minutes, half-open, ms since the epoch. */
  readonly fromMs: number
  readonly toMs: number
}

export class MinutesRead {
  readonly answer: SeriesAnswer
  readonly #columns: ReadonlyMap<string, SeriesColumns>

  constructor(answer: SeriesAnswer) {
    this.answer = answer
    this.#columns = new Map(answer.series.map((series) => [seriesKey(series), series]))
  }

  get seriesKeys(): Iterable<string> {
    return this.#columns.keys()
  }

  /** Undefined where there is no data. */
  minute(key: string, minute: number): FoundMinute | undefined {
    const columns = this.#columns.get(key)
    const slot = (minute - this.answer.startMs) / minuteMs
    const count = columns?.count?.[slot]
    if (typeof count !== 'number') return undefined
    const value = (name: 'min' | 'max' | 'sum'): number => columns?.[name]?.[slot] ?? Number.NaN
    return { min: value('min'), max: value('max'), sum: value('sum'), count }
  }
}

/** Undefined for a server that is not known (yet). @throws when there is no answer. */
export async function readMinutes(
  url: string,
  { serverId, fromMs, toMs }: MinutesQuestion,
): Promise<MinutesRead | undefined> {
  const path = `/v1/servers/${encodeURIComponent(serverId)}/series?from=${fromMs}&to=${toMs}&stepMs=${minuteMs}`
  const answer = await fetch(url + path, { signal: AbortSignal.timeout(requestTimeoutMs) })
  const text = await answer.text()
  if (answer.status === 404) return undefined
  if (!answer.ok) throw new Error(`${url}${path} answered ${answer.status}: ${text.slice(0, 300)}`)
  return new MinutesRead(JSON.parse(text) as SeriesAnswer)
}
