/**
 * The recent ring in Redis. What stands in it and why it may be believed: recent-ring.ts; its bytes: ring-format.ts.
 * Keys are not declared to the script that pushes, so it needs one Redis primary, not a Redis Cluster.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import { type RedisClient, redisScript } from '../redis/redis-client.ts'
import type { PushOutcome, RecentRing, RingIdentity, RingQuestion, RingReading, RingRows } from './recent-ring.ts'
import { encodeParts, keyPrefix, minutesPerHour, pushLua, RingColumns, ringKey, valueBytesMax } from './ring-format.ts'
import { RingGather } from './ring-gather.ts'
import type { RingMetrics } from './ring-metrics.ts'
import { type QueuedPart, RingBreaker, RingQueue } from './ring-queue.ts'
import type { RingConfig } from './ring-settings.ts'

export interface RedisRecentRingDeps {
  readonly redis: RedisClient
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RingMetrics
}

const hourMs = 3_600_000
const script = redisScript(pushLua)
/** A command of 2 MB of answer at most. */
const keysPerCommandMax = 1_000
const openMinutesMax = 15

export class RedisRecentRing implements RecentRing {
  readonly hours: number
  readonly #config: RingConfig
  readonly #deps: RedisRecentRingDeps
  readonly #breaker: RingBreaker
  readonly #queue: RingQueue
  readonly #gather: RingGather

  constructor(config: RingConfig, deps: RedisRecentRingDeps) {
    this.hours = config.hours
    this.#config = config
    this.#deps = deps
    this.#breaker = new RingBreaker(config.breakerMs, deps)
    this.#queue = new RingQueue(config.queueBytesMax, this.#breaker, deps)
    this.#gather = new RingGather({ minutesMax: config.gatherMinutes, bytesMax: config.queueBytesMax })
  }

  /** A key lives as long as a minute of its hour can be asked for. */
  get #lifeS(): number {
    return (this.hours + 1) * 3_600
  }

  get runId(): string | undefined {
    return this.#deps.redis.runId
  }

  async push(identity: RingIdentity, rows: RingRows, urgency?: 'urgent'): Promise<PushOutcome> {
    const { pushes } = this.#deps.metrics
    const refusal = this.#refusal(identity)
    if (refusal !== undefined) {
      pushes.inc({ result: refusal })
      return 'dropped'
    }
    const due = urgency === 'urgent' ? { identity, rows } : this.#gather.add(identity, rows)
    if (due === undefined) return 'late'
    const parts: QueuedPart[] = []
    for (const part of encodeParts(due.rows, this.#config.partBytesMax)) {
      parts.push({ ...part, send: () => this.#send(due.identity, part.bytes) })
    }
    const done = this.#queue.add(parts, urgency)
    if (done === undefined) {
      pushes.inc({ result: 'full' })
      return 'dropped'
    }
    const isPushed = await withinBudget(done, this.#config.writeBudgetMs, this.#deps.clock)
    pushes.inc({ result: isPushed === undefined ? 'late' : isPushed ? 'pushed' : 'failed' })
    return isPushed === undefined ? 'late' : isPushed ? 'pushed' : 'dropped'
  }

  async fill(identity: RingIdentity, rows: RingRows): Promise<void> {
    // A part is encoded while Redis takes the one before.
    let sending = Promise.resolve()
    for (const { bytes, rows: count } of encodeParts(rows, this.#config.partBytesMax)) {
      await sending
      sending = this.#send(identity, bytes)
      sending.catch(() => {})
      this.#deps.metrics.rows.inc({ source: 'repair' }, count)
    }
    await sending
  }

  async marked(identity: RingIdentity): Promise<string | undefined> {
    const detail = await this.#deps.redis.call('getex', [this.#markerKey(identity), 'EX', this.#lifeS])
    return detail === null ? undefined : String(detail)
  }

  async mark(identity: RingIdentity, detail: string, step: 'begin' | 'continue'): Promise<boolean> {
    const condition = step === 'begin' ? 'NX' : 'XX'
    const args = [this.#markerKey(identity), detail, 'EX', this.#lifeS, condition]
    return (await this.#deps.redis.call('set', args)) !== null
  }

  async read(question: RingQuestion): Promise<RingReading | undefined> {
    const { clock, metrics } = this.#deps
    const oldestMs = clock.nowMs() - this.#config.hours * hourMs
    const fromMinute = Math.ceil(Math.max(question.fromMs, oldestMs) / minuteMs)
    const toMinute = Math.ceil(Math.min(question.toMs, clock.nowMs() + hourMs) / minuteMs)
    if (fromMinute >= toMinute || question.series.length === 0 || this.runId === undefined || this.#breaker.isOpen) {
      metrics.reads.inc({ result: 'none' })
      return undefined
    }
    const hourCount = Math.ceil(toMinute / minutesPerHour) - Math.floor(fromMinute / minutesPerHour)
    if (question.series.length * hourCount > this.#config.readKeysMax) {
      metrics.reads.inc({ result: 'large' })
      return undefined
    }
    const identity = await question.identity()
    if (this.#refusal(identity) !== undefined) {
      metrics.reads.inc({ result: 'none' })
      return undefined
    }
    const reading = new RingColumns(question.series.length, fromMinute, toMinute)
    try {
      const done = this.#readInto(reading, keyPrefix(this.#config.prefix, identity), question)
      if ((await withinBudget(done, this.#config.readBudgetMs, clock)) === undefined) {
        throw new Error(`no answer within ${this.#config.readBudgetMs} ms`)
      }
    } catch (error) {
      this.#breaker.open(error as Error)
      metrics.reads.inc({ result: 'failed' })
      return undefined
    }
    metrics.reads.inc({ result: isWhole(reading) ? 'covered' : reading.coveredCount > 0 ? 'partly' : 'none' })
    return reading
  }

  async #readInto(reading: RingColumns, prefix: string, { series }: RingQuestion): Promise<true> {
    const firstHour = Math.floor(reading.fromMs / hourMs)
    const hourCount = Math.ceil((reading.fromMs + reading.minuteCount * minuteMs) / hourMs) - firstHour
    const keyCount = series.length * hourCount
    const answers: Promise<unknown>[] = []
    for (let from = 0; from < keyCount; from += keysPerCommandMax) {
      const keys: string[] = []
      for (let index = from; index < Math.min(keyCount, from + keysPerCommandMax); index++) {
        const row = series[Math.floor(index / hourCount)]
        if (row !== undefined) keys.push(prefix + ringKey(row, firstHour + (index % hourCount)))
      }
      answers.push(
        this.#deps.redis.callBuffer('mget', keys, { timeoutMs: this.#config.readBudgetMs }).then((values) => {
          for (const [offset, value] of (values as (Buffer | null)[]).entries()) {
            const index = from + offset
            if (value !== null) reading.addValue(Math.floor(index / hourCount), firstHour + (index % hourCount), value)
          }
        }),
      )
    }
    await Promise.all(answers)
    return true
  }

  #refusal({ runId }: RingIdentity): 'disconnected' | 'foreign' | 'breaker' | undefined {
    if (this.runId === undefined) return 'disconnected'
    if (this.runId !== runId) return 'foreign'
    return this.#breaker.isOpen ? 'breaker' : undefined
  }

  /** The connection may have changed since the part was queued. */
  async #send(identity: RingIdentity, bytes: Buffer): Promise<void> {
    if (this.runId !== identity.runId) throw new Error('the connection leads to another Redis than it did')
    const prefix = keyPrefix(this.#config.prefix, identity)
    await this.#deps.redis.runScript(script, [prefix, this.#lifeS, valueBytesMax, bytes])
  }

  #markerKey(identity: RingIdentity): string {
    return `${keyPrefix(this.#config.prefix, identity)}filled`
  }
}

/** All but the last minutes, which may be open or gathered. */
function isWhole({ covered, minuteCount }: RingReading): boolean {
  for (let start = 0; start < covered.length; start += minuteCount) {
    if (covered.subarray(start, Math.max(start, start + minuteCount - openMinutesMax)).includes(0)) return false
  }
  return true
}

/** Undefined when it takes longer. What comes later is nobody's error. */
async function withinBudget<T>(work: Promise<T>, budgetMs: number, clock: Clock): Promise<T | undefined> {
  const over = new AbortController()
  const budget = clock.sleep(budgetMs, over.signal).then(() => undefined)
  work.catch(() => {})
  try {
    return await Promise.race([work, budget])
  } finally {
    over.abort()
  }
}
