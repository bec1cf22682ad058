/**
 * The metrics that somebody watches in this process. When complete-through advances each metric's new minutes are read from Postgres
 * once, put together once for each different question, and handed to all its viewers as the same objects (event-frames.ts): work is
 * per metric and question, not per viewer. Instants are ms since the epoch, of whole minutes.
 *
 *   advance ──> read the metric's minutes ──> one event per question ──> followers wake, and take them
 *               three metrics at a time, beside one replay              a follower that is behind asks for what it lacks
 *
 * A follower takes its events itself, each when the viewer has taken the one before it: nothing is queued for it. What it lacks
 * comes from what others were given lately (bounded, live-cache.ts) or is read again. All values are of Postgres and
 * of closed minutes; so viewers need no live channel, and see the same in one process and in many.
 */
import type { Clock } from '@minutely/lib/clock'
import type { Logger } from '@minutely/lib/logging'
import type { Pool } from '@minutely/lib/postgres/pool'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMetricMinute } from '@minutely/schema/live-wire'
import type { QueryConfig } from './config.ts'
import type { StoredSeries } from './dictionary.ts'
import { LiveCache } from './live-cache.ts'
import { MetricFollower } from './metric-follower.ts'
import type { MetricLiveQuestion } from './metric-live-question.ts'
import type { QueryMetrics } from './metrics.ts'
import type { PointBudget } from './range-limits.ts'
import { assertWatchable, type MadeMinutes, readMetricMinutes } from './read-metric-minutes.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'
import { WorkLane } from './work-lane.ts'

export interface MetricFeedsDeps {
  readonly pool: Pool
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: QueryMetrics
  readonly budget: PointBudget
}

interface Watched {
  readonly metricId: string
  /** By the question's key. */
  readonly questions: Map<string, { readonly question: MetricLiveQuestion; readonly followers: Set<MetricFollower> }>
  /** Minutes before it have been made. */
  settledMs: number
  isBeingRead: boolean
  /** After a failure. */
  retryAtMs: number
  /** Fires when the last follower has left. */
  readonly abort: AbortController
}

/** Of the cache: one part in so many is for events, the rest for lists of series. */
const eventsShare = 4
/** An event in memory and as bytes, roughly. */
const eventBytes = 2_000
const rankedBytes = 300
const retryMs = 2_500
/** At one time, beside one replay; of the connections of the query API, which are 8 unless set otherwise. */
const settlingsMax = 3

export class MetricFeeds {
  readonly #config: QueryConfig
  readonly #deps: MetricFeedsDeps
  readonly #watched = new Map<string, Watched>()
  readonly #settling = new WorkLane(settlingsMax)
  readonly #replaying = new WorkLane(1)
  readonly #stopping = new AbortController()
  readonly #lists: LiveCache<readonly StoredSeries[]>
  readonly #events: LiveCache<LiveMetricMinute>

  constructor(config: QueryConfig, deps: MetricFeedsDeps) {
    this.#config = config
    this.#deps = deps
    const onChange = (bytes: number): void => deps.metrics.liveCacheBytes.inc(bytes)
    const eventBytesMax = Math.floor(config.liveCacheBytesMax / eventsShare)
    this.#events = new LiveCache(eventBytesMax, onChange)
    this.#lists = new LiveCache(config.liveCacheBytesMax - eventBytesMax, onChange)
  }

  /** Before a viewer's answer begins. @throws ApiError metric-not-found, too-many-series */
  async assertWatchable(metricId: string, session: StoreSession): Promise<void> {
    await assertWatchable(metricId, { session, seriesMax: this.#seriesMax })
  }

  /**
   * @param completeThroughMs of all partitions, as the viewer has just read it.
   * @param sinceMs the follower is given minutes from here on; absent: from the newest complete one on.
   */
  join(question: MetricLiveQuestion, completeThroughMs: number, sinceMs?: number): MetricFollower {
    const { metricId, key } = question
    const completeMs = wholeMinutes(completeThroughMs)
    const watched = this.#watched.get(metricId) ?? this.#open(metricId, completeMs)
    const asked = watched.questions.get(key) ?? { question, followers: new Set() }
    watched.questions.set(key, asked)
    const newestMs = Math.max(0, watched.settledMs - minuteMs)
    const follower = new MetricFollower({
      fromMs: sinceMs ?? newestMs,
      minutesMax: Math.max(1, this.#config.replayMinutesMax),
      settledMs: () => watched.settledMs,
      read: (fromMs, toMs) => this.#minutesOf(watched, question, { fromMs, toMs }),
      leave: () => {
        asked.followers.delete(follower)
        if (asked.followers.size === 0) watched.questions.delete(key)
        if (watched.questions.size === 0) this.#close(watched)
      },
    })
    asked.followers.add(follower)
    if (this.#stopping.signal.aborted) follower.stop()
    return follower
  }

  /** Called whenever complete-through was read; reads in the background. */
  advance(completeThroughMs: number): void {
    const completeMs = wholeMinutes(completeThroughMs)
    for (const watched of this.#watched.values()) {
      if (watched.isBeingRead || completeMs <= watched.settledMs) continue
      if (this.#deps.clock.nowMs() < watched.retryAtMs) continue
      watched.isBeingRead = true
      const settling = this.#settling.do(() => this.#settle(watched, completeMs))
      void settling.finally(() => {
        watched.isBeingRead = false
      })
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the query API is stopping'))
    for (const follower of this.#followers()) follower.stop()
    await this.#settling.idle()
    await this.#replaying.idle()
  }

  get #seriesMax(): number {
    return Math.min(this.#config.summarySeriesMax, this.#config.pointsMax)
  }

  *#followers(): Generator<MetricFollower> {
    for (const { questions } of this.#watched.values()) for (const { followers } of questions.values()) yield* followers
  }

  #open(metricId: string, settledMs: number): Watched {
    const abort = new AbortController()
    const watched = { metricId, questions: new Map(), settledMs, isBeingRead: false, retryAtMs: 0, abort }
    this.#watched.set(metricId, watched)
    this.#deps.metrics.watchedMetrics.set(this.#watched.size)
    return watched
  }

  #close(watched: Watched): void {
    if (this.#watched.get(watched.metricId) !== watched) return
    watched.abort.abort(new Error('nobody watches the metric any more'))
    this.#watched.delete(watched.metricId)
    this.#deps.metrics.watchedMetrics.set(this.#watched.size)
  }

  /** Never rejects: what failed is tried again at a later advance. */
  async #settle(watched: Watched, completeMs: number): Promise<void> {
    if (watched.abort.signal.aborted || this.#stopping.signal.aborted) return
    // After a long outage each follower is told to read the range again; only what came last is made for all.
    const isFar = completeMs - watched.settledMs > this.#config.replayMinutesMax * minuteMs
    const fromMs = isFar ? completeMs - minuteMs : watched.settledMs
    const questions = [...watched.questions.values()].map(({ question }) => question)
    try {
      const { throughMs } = await this.#read(watched, questions, { fromMs, toMs: completeMs })
      watched.settledMs = Math.max(watched.settledMs, throughMs)
    } catch (error) {
      watched.retryAtMs = this.#deps.clock.nowMs() + retryMs
      if (watched.abort.signal.aborted || this.#stopping.signal.aborted) return
      const { metricId } = watched
      this.#deps.log.warn({ err: error, metricId }, 'closed minutes of a watched metric could not be read; tried again')
    }
    for (const { followers } of watched.questions.values()) for (const follower of followers) follower.wake()
  }

  /** Some of the first of them: those that are at hand, else as many as one reading gives. */
  async #minutesOf(
    watched: Watched,
    question: MetricLiveQuestion,
    { fromMs, toMs }: { fromMs: number; toMs: number },
  ): Promise<readonly LiveMetricMinute[]> {
    const atHand = this.#atHand(question, { fromMs, toMs })
    if (atHand.length > 0) return atHand
    return this.#replaying.do(async () => {
      // Others may have asked the same meanwhile.
      const now = this.#atHand(question, { fromMs, toMs })
      if (now.length > 0) return now
      const { byQuestion } = await this.#read(watched, [question], { fromMs, toMs })
      return byQuestion.get(question.key) ?? []
    })
  }

  #atHand(question: MetricLiveQuestion, { fromMs, toMs }: { fromMs: number; toMs: number }): LiveMetricMinute[] {
    const found: LiveMetricMinute[] = []
    for (let atMs = fromMs; atMs < toMs; atMs += minuteMs) {
      const event = this.#events.get(eventKey(question, atMs))
      if (event === undefined) break
      found.push(event)
    }
    return found
  }

  async #read(
    watched: Watched,
    questions: readonly MetricLiveQuestion[],
    { fromMs, toMs }: { fromMs: number; toMs: number },
  ): Promise<MadeMinutes> {
    const { budget, metrics } = this.#deps
    const { metricId, abort } = watched
    const signal = AbortSignal.any([abort.signal, this.#stopping.signal])
    const deps = { lists: this.#lists, budget, seriesMax: this.#seriesMax }
    try {
      const made = await inStoreSession(
        (session) => readMetricMinutes({ metricId, questions, fromMs, toMs }, { ...deps, session }),
        { signal, timeoutMs: this.#config.timeoutMs },
        this.#deps,
      )
      metrics.metricReads.inc({ outcome: 'read' })
      for (const question of questions) {
        for (const event of made.byQuestion.get(question.key) ?? []) {
          this.#events.put(eventKey(question, event.minuteMs), event, eventBytes + rankedBytes * event.ranking.length)
        }
      }
      return made
    } catch (error) {
      if (!signal.aborted) metrics.metricReads.inc({ outcome: 'failed' })
      throw error
    }
  }
}

const wholeMinutes = (instantMs: number): number => Math.floor(instantMs / minuteMs) * minuteMs
const eventKey = (question: MetricLiveQuestion, atMs: number): string => `${atMs} ${question.key}`
