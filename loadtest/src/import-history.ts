/**
 * History for the benchmark of imports, computed from the index of a point: so a file of 30 million points needs no memory, and every minute
 * that comes out of the store can be computed again from nothing but its series and its time. Values are decimals of two digits.
 */

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

export interface HistoryShape {
  readonly seriesCount: number
  readonly pointsPerSeries: number
  readonly stepMs: number
  /** A whole minute. */
  readonly startMs: number
}

export type HistoryFormat = 'victoria-metrics' | 'csv' | 'jsonl'

/** Of a line of VictoriaMetrics' export: a block of its store. */
const pointsPerLine = 8_192
const metricsPerServer = 50
const chunkLength = 1 << 20

export const serverOf = (series: number): string => `host-${Math.floor(series / metricsPerServer)}`
export const metricOf = (series: number): string => `bench.metric_${series % metricsPerServer}`

/** In hundredths: a constant, a counter, gauges with noise, and sparse ones, by series. */
export function hundredthsOf(series: number, index: number): number {
  const noise = Math.imul(series * 65_537 + index, 0x9e3779b1) >>> 16
  switch (series % 5) {
    case 0:
      return 100 * (series % 1_000)
    case 1:
      return 100 * (index * 3 + (noise & 1))
    case 2:
      return noise % 97 < 3 ? 100 * (noise % 10) : 0
    default:
      return 5_000 + (series % 3_000) + (noise % 400)
  }
}

export function timeOf({ startMs, stepMs }: HistoryShape, index: number): number {
  return startMs + index * stepMs
}

/** @returns bytes written. */
export async function writeHistory(path: string, shape: HistoryShape, format: HistoryFormat): Promise<number> {
  const file = createWriteStream(path)
  let text = ''
  for (const line of linesOf(shape, format)) {
    text += line
    if (text.length < chunkLength) continue
    if (!file.write(text)) await once(file, 'drain')
    text = ''
  }
  file.end(text)
  await finished(file)
  return file.bytesWritten
}

function* linesOf(shape: HistoryShape, format: HistoryFormat): Generator<string> {
  if (format === 'victoria-metrics') return yield* exportLines(shape)
  // As hosts send them: by time, all series of an instant together.
  if (format === 'csv') yield 'timestamp,instance,metric,value\n'
  for (let index = 0; index < shape.pointsPerSeries; index++) {
    const ts = timeOf(shape, index)
    for (let series = 0; series < shape.seriesCount; series++) {
      const value = hundredthsOf(series, index) / 100
      yield format === 'csv'
        ? `${ts},${serverOf(series)},${metricOf(series)},${value}\n`
        : `{"serverId":"${serverOf(series)}","metricId":"${metricOf(series)}","value":${value},"ts":${ts}}\n`
    }
  }
}

function* exportLines(shape: HistoryShape): Generator<string> {
  for (let series = 0; series < shape.seriesCount; series++) {
    for (let from = 0; from < shape.pointsPerSeries; from += pointsPerLine) {
      const to = Math.min(from + pointsPerLine, shape.pointsPerSeries)
      const values: number[] = []
      const times: number[] = []
      for (let index = from; index < to; index++) {
        values.push(hundredthsOf(series, index) / 100)
        times.push(timeOf(shape, index))
      }
      const metric = `{"__name__":"${metricOf(series)}","instance":"${serverOf(series)}"}`
      yield `{"metric":${metric},"values":[${values.join()}],"timestamps":[${times.join()}]}\n`
    }
  }
}
