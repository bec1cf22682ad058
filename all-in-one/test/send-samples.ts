/** Samples as requests, in each form and encoding that the wire has. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { encodeSampleBatch, encodeSeriesList } from '@minutely/schema/sample-codec'
import { avroContentType } from '@minutely/schema/sample-wire'
import { seriesKey } from '@minutely/schema/series-identity'
import type { Sample } from './sample-model.ts'

export const forms = ['rows', 'columns', 'avro'] as const
export const encodings = ['identity', 'gzip', 'zstd'] as const
export interface WireForm {
  readonly form: (typeof forms)[number]
  readonly encoding: (typeof encodings)[number]
}

export interface WireRequest {
  readonly headers: Record<string, string>
  readonly body: Buffer
}

/** One request for rows; one for each server otherwise. */
export function requestsOf(samples: readonly Sample[], { form, encoding }: WireForm): WireRequest[] {
  const bodies =
    form === 'rows'
      ? [JSON.stringify({ samples })]
      : [...byServer(samples)].map(([serverId, own]) => gridBody(serverId, own, form))
  return bodies.map((body) => ({
    headers: {
      'content-type': form === 'avro' ? avroContentType : 'application/json',
      ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
    },
    body: compress(Buffer.from(body), encoding),
  }))
}

function compress(body: Buffer, encoding: WireForm['encoding']): Buffer {
  if (encoding === 'gzip') return gzipSync(body)
  return encoding === 'zstd' ? zstdCompressSync(body) : body
}

function byServer(samples: readonly Sample[]): Map<string, Sample[]> {
  return Map.groupBy(samples, ({ serverId }) => serverId)
}

/** Each series on its own grid of seconds, gaps between. Of two samples in a second the first is kept. */
function gridBody(serverId: string, samples: readonly Sample[], form: 'columns' | 'avro'): string | Buffer {
  const columns = [...Map.groupBy(samples, seriesKey).values()].map((own) => {
    const startMs = Math.floor(Math.min(...own.map(({ ts }) => ts)) / 1_000) * 1_000
    const values: (number | null)[] = []
    for (const { ts, value } of own) {
      const slot = Math.floor((ts - startMs) / 1_000)
      while (values.length <= slot) values.push(null)
      values[slot] ??= value
    }
    const [{ metricId, labels }] = own as [Sample]
    return { metricId, labels, startMs, values }
  })
  if (form === 'columns') return JSON.stringify({ serverId, stepMs: 1_000, series: columns })
  const blocks = columns.map(({ metricId, labels, startMs, values }) => ({
    startMs,
    stepMs: 1_000,
    slotCount: values.length,
    series: encodeSeriesList([{ metricId, labels }]),
    values: new Uint8Array(Float64Array.from(values, (value) => value ?? Number.NaN).buffer),
  }))
  return encodeSampleBatch({ serverId, sentAtMs: Date.now(), blocks })
}

/** @returns the status, or 0 when no answer came. */
export async function send(url: string, { headers, body }: WireRequest): Promise<number> {
  try {
    const answer = await fetch(`${url}/v1/samples`, { method: 'POST', headers, body: new Uint8Array(body) })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return 0
  }
}
