/**
 * A fleet's samples, made from a seed: every second of every series has a value that can be computed again, so that a checker
 * needs no log of what was sent. Equal parts of the kinds of values that real hosts have.
 */

import { constants, zstdCompressSync } from 'node:zlib'
import { encodeSampleBatch, encodeSeriesList } from '@minutely/schema/sample-codec'
import { avroContentType } from '@minutely/schema/sample-wire'
import type { SeriesRef } from '@minutely/schema/series-identity'

export interface FleetShape {
  readonly hostCount: number
  readonly metricCount: number
  readonly seed: number
}

export const batchSeconds = 15

/** constant, rate of a counter, 2-decimal gauge, page-sized memory value, sparse count: one fifth of the series each. */
const kinds = ['constant', 'rate', 'gauge', 'memory', 'sparse'] as const

export class GeneratedFleet {
  readonly shape: FleetShape
  readonly series: readonly SeriesRef[]
  readonly #seriesBytes: Buffer

  constructor(shape: FleetShape) {
    this.shape = shape
    this.series = Array.from({ length: shape.metricCount }, (_, index) => ({
      metricId: `app.${kinds[index % kinds.length]}.m${String(index).padStart(4, '0')}`,
      labels: index % 4 === 0 ? { 'service.name': `svc-${index % 7}` } : {},
    }))
    this.#seriesBytes = encodeSeriesList(this.series)
  }

  serverId(host: number): string {
    return `host-${String(host).padStart(5, '0')}`
  }

  /** The value of one second, always a decimal with at most 2 digits. */
  value(host: number, metric: number, second: number): number {
    const base = mix(this.shape.seed ^ (host * 7_919 + metric * 104_729))
    switch (kinds[metric % kinds.length]) {
      case 'constant':
        return base % 1_000
      case 'rate':
        return 500 + (mix(base ^ second) % 2_000)
      case 'gauge':
        return (5_000 + (base % 3_000) + (mix(base ^ second) % 400)) / 100
      case 'memory':
        return 4_096 * ((base % 1_000_000) + (mix(base ^ (second >> 3)) % 64))
      default:
        return mix(base ^ second) % 100 < 3 ? mix(second ^ base) % 10 : 0
    }
  }

  /** The body an agent would ship: Avro, zstd. `startMs`: a whole second. */
  body(host: number, { startMs, sentAtMs }: { startMs: number; sentAtMs: number }): Buffer {
    const { metricCount } = this.shape
    const values = new Float64Array(metricCount * batchSeconds)
    const startSecond = startMs / 1_000
    for (let metric = 0; metric < metricCount; metric++) {
      for (let slot = 0; slot < batchSeconds; slot++) {
        values[metric * batchSeconds + slot] = this.value(host, metric, startSecond + slot)
      }
    }
    const block = {
      startMs,
      stepMs: 1_000,
      slotCount: batchSeconds,
      series: this.#seriesBytes,
      values: new Uint8Array(values.buffer),
    }
    const batch = encodeSampleBatch({ serverId: this.serverId(host), sentAtMs, blocks: [block] })
    return zstdCompressSync(batch, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
  }
}

export const batchHeaders = { 'content-type': avroContentType, 'content-encoding': 'zstd' }

/** A 32-bit integer hash (the finaliser of MurmurHash3), as an unsigned number. */
function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
