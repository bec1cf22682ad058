/**
 * The verdict on a series list, kept so that an equal list costs one memcmp: an agent sends the same bytes every
 * 15 s, and judging 200 series takes as long as decompressing their batch.
 *
 * Keyed by server and the block's place in the batch, so that an agent with two grids keeps both; a server has at most
 * placesPerServer entries. Least recently used entries go first once bytesUsed passes bytesMax. An entry depends on nothing
 * but the list and the server (the log's routing is the same all its life), and lasts as long as a generation of active
 * series: judging it again then says that they go on. A list in which a new series is refused is not kept at all, since
 * there may be room the next time; nor is it routed, which in Kafka takes room for the topics of its metrics.
 */
import type { SampleLog } from '@minutely/lib/sample-log/sample-log'
import { decodeSeriesList, encodeSeriesList } from '@minutely/schema/sample-codec'
import type { RejectReason } from '@minutely/schema/sample-wire'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { routeSeries, routingBytes, type SeriesRouting } from '../series-routing.ts'
import { type ActiveSeries, serverSeries } from './active-series.ts'
import { judgeSeries } from './judge-series.ts'
import type { SectionOwner } from './section-builder.ts'

export interface SeriesList {
  /** As sent. */
  readonly bytes: Buffer
  readonly rowCount: number
  /** Rows that are no valid series, or new ones for which there is no room now. */
  readonly rejected: ReadonlyMap<number, { readonly reason: RejectReason; readonly detail: string }>
  /** encodeSeriesList of all rows, the very bytes as sent when those were canonical; null unless every row is accepted. */
  readonly canonical: { readonly bytes: Buffer; readonly routing: SeriesRouting } | null
}

export interface SeriesListCacheDeps {
  readonly activeSeries: ActiveSeries
  readonly sampleLog: Pick<SampleLog, 'route'>
  readonly bytesMax: number
  readonly lookedUp: (result: 'hit' | 'miss') => void
}

interface Entry {
  readonly list: SeriesList
  /** Of active series, when the list was judged. */
  readonly generation: number
  readonly bytes: number
}

const placesPerServer = 4
/** Objects and keys of an entry, roughly. */
const entryOverheadBytes = 500

export class SeriesListCache {
  /** In order of use, oldest first. */
  readonly #entries = new Map<string, Entry>()
  readonly #deps: SeriesListCacheDeps
  #bytesUsed = 0

  constructor(deps: SeriesListCacheDeps) {
    this.#deps = deps
  }

  get entryCount(): number {
    return this.#entries.size
  }

  get bytesUsed(): number {
    return this.#bytesUsed
  }

  /** @throws CodecError when the bytes are no series list; that is not remembered. */
  judge(bytes: Uint8Array, owner: SectionOwner & { place: number }): SeriesList {
    const key = `${owner.tenantId}\u0001${owner.serverId}\u0001${owner.place}`
    const known = this.#entries.get(key)
    if (known?.generation === this.#deps.activeSeries.generation && known.list.bytes.equals(bytes)) {
      this.#entries.delete(key)
      this.#entries.set(key, known)
      this.#deps.lookedUp('hit')
      return known.list
    }
    this.#deps.lookedUp('miss')
    const { list, isLasting } = judgeList(bytes, owner, this.#deps)
    if (owner.place < placesPerServer && isLasting) this.#keep(key, list)
    return list
  }

  #keep(key: string, list: SeriesList): void {
    const bytes = listBytes(list) + key.length * 2
    this.#drop(key)
    if (bytes > this.#deps.bytesMax) return
    this.#entries.set(key, { list, generation: this.#deps.activeSeries.generation, bytes })
    this.#bytesUsed += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#bytesUsed <= this.#deps.bytesMax) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    this.#bytesUsed -= this.#entries.get(key)?.bytes ?? 0
    this.#entries.delete(key)
  }
}

function judgeList(
  sent: Uint8Array,
  owner: SectionOwner,
  deps: SeriesListCacheDeps,
): { list: SeriesList; isLasting: boolean } {
  const series = decodeSeriesList(sent)
  const rejected = new Map<number, { reason: RejectReason; detail: string }>()
  let isLasting = true
  for (const [row, { metricId, labels }] of series.entries()) {
    const verdict = judgeSeries(metricId, labels)
    const refusal =
      verdict.kind === 'rejected' ? verdict : deps.activeSeries.admit(serverSeries(owner.serverId, verdict.series))
    if (refusal !== null) rejected.set(row, { reason: refusal.reason, detail: refusal.detail })
    if (refusal?.reason === 'series-limit') isLasting = false
  }
  // A slab of its own: a slice would keep the whole decoded body alive.
  const bytes = Buffer.allocUnsafeSlow(sent.length)
  bytes.set(sent)
  const isAccepted = rejected.size === 0 && series.length > 0
  const canonical = isAccepted ? canonicalOf(bytes, series, { owner, deps }) : null
  return { list: { bytes, rowCount: series.length, rejected, canonical }, isLasting }
}

/** Labels out of order, a label twice, or odd but legal Avro: re-encoding evens out all of them. */
function canonicalOf(
  bytes: Buffer,
  series: readonly SeriesRef[],
  { owner, deps }: { owner: SectionOwner; deps: SeriesListCacheDeps },
): SeriesList['canonical'] {
  const encoded = encodeSeriesList(series)
  return { bytes: encoded.equals(bytes) ? bytes : encoded, routing: routeSeries(owner, series, deps) }
}

function listBytes({ bytes, rejected, canonical }: SeriesList): number {
  let sum = entryOverheadBytes + bytes.length
  for (const { detail } of rejected.values()) sum += detail.length * 2 + 150
  if (canonical === null) return sum
  return sum + (canonical.bytes === bytes ? 0 : canonical.bytes.length) + routingBytes(canonical.routing)
}
