/**
 * Which series the tenant has sent lately, so that new ones can be refused past a limit while those that go on are never
 * touched. Everything behind the collector holds names and labels of active series in memory, and this is what bounds it. One
 * instance for each tenant; there is one tenant today. Instants are ms since the epoch, sizes bytes of UTF-8.
 *
 *     new series ─ countMax reached? ─ bytesMax reached? ─ no token left? ──> admitted: active for 120 to 160 min from now on
 *                        └───────────────────┴──────────────────┴──────────> series-limit, and judged anew the next time
 *
 *     generations   [ newest | -40 min | -80 min | -120 min ]    a series is in one; seen again, it moves to the newest;
 *                                                                every 40 min a new one begins and the oldest is forgotten
 *
 * The time is that after which the aggregator forgets a series too. Tokens: newPerMinuteMax come every minute, up to countMax, and
 * it begins with countMax. So deep, because to a collector that just started, or that takes over from another one, every series is new:
 * a whole fleet may come within seconds. What the rate then bounds is churn that lasts, where countMax is above 120 minutes of it.
 *
 * Known series are known by a hash of 53 bits, so about 130 B each in memory, in at most countMax entries. A new series whose hash
 * collides with an active one (1 in 6e10 at 150,000) is admitted without being counted, which harms nobody.
 * Invariant: a series that was admitted or seen within 120 min is never refused.
 */
import { randomBytes } from 'node:crypto'
import { minuteMs } from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import type { CollectorConfig } from '../config.ts'
import { seriesHash } from './series-hash.ts'

const stepMs = 40 * minuteMs
const generationCount = 4
const activeMinutes = ((generationCount - 1) * stepMs) / minuteMs

export type ActiveSeriesConfig = Pick<
  CollectorConfig,
  'activeSeriesMax' | 'activeSeriesBytesMax' | 'newSeriesPerMinuteMax'
>

export interface SeriesRefusal {
  readonly kind: 'rejected'
  readonly reason: RejectReason
  readonly detail: string
}

/** How often series were refused, and whose was the first. */
export interface SeriesRefusals {
  readonly count: number
  readonly first: { readonly serverId: string; readonly detail: string } | undefined
}

/** Server and series, unique within a tenant. */
export type ServerSeries = `${string}\u0001${string}`
const separator = '\u0001'

interface Generation {
  readonly hashes: Set<number>
  bytes: number
}

export class ActiveSeries {
  /** Grows whenever a generation begins: who saw a series in this one need not say so again. */
  generation = 0
  readonly #config: ActiveSeriesConfig
  readonly #key = { low: randomBytes(4).readInt32LE(), high: randomBytes(4).readInt32LE() }
  /** Newest first. */
  #generations: Generation[] = Array.from({ length: generationCount }, emptyGeneration)
  #count = 0
  #bytes = 0
  #begunCount = 0
  #refusals: SeriesRefusals = { count: 0, first: undefined }
  #tokens: number
  #nowMs: number
  /** Of the newest generation, in steps since the epoch: a clock that is set back and forth begins none twice. */
  #newestStep: number

  constructor(config: ActiveSeriesConfig, nowMs: number) {
    this.#config = config
    this.#tokens = config.activeSeriesMax
    this.#nowMs = nowMs
    this.#newestStep = Math.floor(nowMs / stepMs)
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** New series that were admitted since the start. */
  get begunCount(): number {
    return this.#begunCount
  }

  /** Before series are judged. A clock that was set back stops time here, one that was set forward makes everything new. */
  observe(nowMs: number): void {
    const { activeSeriesMax, newSeriesPerMinuteMax } = this.#config
    const elapsedMs = Math.max(0, nowMs - this.#nowMs)
    this.#tokens = Math.min(activeSeriesMax, this.#tokens + (elapsedMs / minuteMs) * newSeriesPerMinuteMax)
    const step = Math.floor(nowMs / stepMs)
    for (let begun = Math.max(this.#newestStep, step - generationCount); begun < step; begun++) this.#beginGeneration()
    this.#newestStep = Math.max(this.#newestStep, step)
    this.#nowMs = nowMs
  }

  /** Null when the series is active, or becomes so. */
  admit(identity: ServerSeries): SeriesRefusal | null {
    const hash = seriesHash(identity, this.#key)
    const newest = this.#generations[0] as Generation
    if (newest.hashes.has(hash)) return null
    const bytes = Buffer.byteLength(identity)
    if (!this.#leaveOlder(hash, bytes)) {
      const problem = this.#problem(bytes)
      if (problem !== null) {
        const { count, first = { serverId: identity.slice(0, identity.indexOf(separator)), detail: problem } } =
          this.#refusals
        this.#refusals = { count: count + 1, first }
        return { kind: 'rejected', reason: 'series-limit', detail: problem }
      }
      this.#tokens--
      this.#count++
      this.#bytes += bytes
      this.#begunCount++
    }
    newest.hashes.add(hash)
    newest.bytes += bytes
    return null
  }

  /** Those since it was last asked. */
  takeRefusals(): SeriesRefusals {
    const taken = this.#refusals
    this.#refusals = { count: 0, first: undefined }
    return taken
  }

  #leaveOlder(hash: number, bytes: number): boolean {
    for (const older of this.#generations) {
      if (!older.hashes.delete(hash)) continue
      older.bytes -= bytes
      return true
    }
    return false
  }

  /** Why a new series of so many bytes cannot be admitted now. */
  #problem(bytes: number): string | null {
    const { activeSeriesMax, activeSeriesBytesMax, newSeriesPerMinuteMax } = this.#config
    const advice = `others make room when they were not sent for ${activeMinutes} min; send fewer different metrics and labels`
    if (this.#count >= activeSeriesMax) {
      return `${this.#count} series are active, the limit for new ones is ${activeSeriesMax}: ${advice}, or raise MINUTELY_ACTIVE_SERIES_MAX`
    }
    if (this.#bytes + bytes > activeSeriesBytesMax) {
      const held = `the names and labels of active series have ${this.#bytes} bytes, this one ${bytes}, the limit is ${activeSeriesBytesMax}`
      return `${held}: ${advice}, or raise MINUTELY_ACTIVE_SERIES_BYTES_MAX`
    }
    if (this.#tokens >= 1) return null
    return `more new series began than ${newSeriesPerMinuteMax} a minute: send this one later, or raise MINUTELY_NEW_SERIES_PER_MINUTE_MAX`
  }

  #beginGeneration(): void {
    const oldest = this.#generations.pop() as Generation
    this.#count -= oldest.hashes.size
    this.#bytes -= oldest.bytes
    this.#generations.unshift(emptyGeneration())
    this.generation++
  }
}

export function serverSeries(serverId: string, series: SeriesRef): ServerSeries {
  return `${serverId}\u0001${seriesKey(series)}`
}

function emptyGeneration(): Generation {
  return { hashes: new Set(), bytes: 0 }
}
