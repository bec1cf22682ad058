/**
 * All series of a server, or of a metric, as the dictionary had them: so that a question that was asked before need not ask for them
 * again. Series are added to the dictionary, never changed or deleted; so a list is whole as long as the dictionary counts as many, which
 * whoever uses a list has to ask for in the snapshot that answers it (sealed-range.ts).
 */
import type { StoredSeries } from './dictionary.ts'
import type { CountedSeries } from './sealed-hours.ts'

/** With its strings; labels are few. */
const seriesBytes = 400
/** Servers and metrics with more are asked for each time. */
export const listLengthMax = 5_000

export class SeriesLists {
  readonly #bytesMax: number
  readonly #onBytes: (bytes: number) => void
  /** Least recently used first. */
  readonly #lists = new Map<string, readonly StoredSeries[]>()
  #bytes = 0

  constructor(bytesMax: number, observer: { readonly bytes: (bytes: number) => void }) {
    this.#bytesMax = bytesMax
    this.#onBytes = observer.bytes
  }

  get(counted: CountedSeries): readonly StoredSeries[] | undefined {
    const key = keyOf(counted)
    const list = this.#lists.get(key)
    if (list !== undefined) {
      this.#lists.delete(key)
      this.#lists.set(key, list)
    }
    return list
  }

  put(counted: CountedSeries, list: readonly StoredSeries[]): void {
    this.delete(counted)
    this.#lists.set(keyOf(counted), list)
    this.#change(bytesOf(list))
    for (const [key, oldest] of this.#lists) {
      if (this.#bytes <= this.#bytesMax) break
      this.#lists.delete(key)
      this.#change(-bytesOf(oldest))
    }
  }

  delete(counted: CountedSeries): void {
    const list = this.#lists.get(keyOf(counted))
    if (list !== undefined && this.#lists.delete(keyOf(counted))) this.#change(-bytesOf(list))
  }

  clear(): void {
    this.#lists.clear()
    this.#change(-this.#bytes)
  }

  #change(bytes: number): void {
    this.#bytes += bytes
    this.#onBytes(this.#bytes)
  }
}

const keyOf = ({ of, name }: CountedSeries): string => `${of} ${name}`
const bytesOf = (list: readonly StoredSeries[]): number => seriesBytes * (1 + list.length)
