/**
 * `POST /v1/samples`: HTTP and nothing else. Limits and media types in, status codes out; what a sample is, and where it
 * goes, is decided by accept-batch.ts and linger.ts. Bodies arrive as streams and are read here, within bounds, never
 * by fastify's parsers.
 *
 *     bytes ─ receive-body ─ decompress ─ accept-batch ─ linger ─> 202 {accepted, rejected}
 *               413, 503      413, 400,     400, 413,      503
 *                             415, 503      422
 */
import type { IncomingMessage } from 'node:http'
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import { ApiError } from '@minutely/schema/error-catalogue'
import { avroContentType, type SamplesAnswer } from '@minutely/schema/sample-wire'
import type { FastifyPluginAsync } from 'fastify'
import type { AcceptedBatch, BatchForm } from './accept-batch.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { CollectorConfig } from './config.ts'
import { contentEncoding, decompress } from './decompress.ts'
import type { IngestCounts } from './ingest-counts.ts'
import type { Linger } from './linger.ts'
import type { CollectorMetrics } from './metrics.ts'
import { receiveBody } from './receive-body.ts'
import type { SentBody } from './record-packing.ts'

export interface SampleRoutesDeps {
  readonly accept: (body: Buffer, type: 'json' | 'avro') => AcceptedBatch
  readonly linger: Linger
  readonly metrics: CollectorMetrics
  readonly ingestCounts?: IngestCounts
  readonly receiving: ByteBudget
  readonly decoding: ByteBudget
  readonly random: () => number
  readonly config: Pick<CollectorConfig, 'bodyBytesMax' | 'decodedBytesMax' | 'decodedRatioMax'>
}

const path = '/v1/samples'

export function sampleRoutes(deps: SampleRoutesDeps): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.post(path, async (request, reply) => {
      let form: BatchForm | 'unknown' = 'unknown'
      try {
        const { batch, sent } = await readBatch(request.raw, deps)
        form = batch.form
        const answer = await store(batch, sent, deps)
        deps.metrics.requests.inc({ form, status: 202 })
        return reply.code(202).send(answer)
      } catch (error) {
        deps.metrics.requests.inc({ form, status: error instanceof ApiError ? error.status : 500 })
        const id = error instanceof ApiError ? error.id : 'internal-error'
        // Its samples were counted, each with its reason.
        if (id !== 'nothing-acceptable') deps.ingestCounts?.refused(id)
        throw error
      }
    })
    refuseOtherMethods(app, { url: path, allowed: 'POST' })
  }
}

async function readBatch(
  request: IncomingMessage,
  deps: SampleRoutesDeps,
): Promise<{ batch: AcceptedBatch; sent: SentBody }> {
  const { config, metrics, random } = deps
  const type = bodyType(request.headers['content-type'])
  const encoding = contentEncoding(request.headers['content-encoding'])
  const received = deps.receiving.open()
  const decoded = deps.decoding.open()
  try {
    const body = await receiveBody(request, { bodyBytesMax: config.bodyBytesMax, lease: received, random })
    metrics.receivedBytes.inc(body.length)
    const plain = await decompress(body, encoding, { ...config, lease: decoded, random })
    metrics.decodedBytes.inc(plain.length)
    return { batch: deps.accept(plain, type), sent: { bytes: body, encoding, plainBytes: plain.length } }
  } finally {
    received.close()
    decoded.close()
  }
}

async function store(batch: AcceptedBatch, sent: SentBody, deps: SampleRoutesDeps): Promise<SamplesAnswer> {
  const { acceptedCount, rejections, sections } = batch
  await deps.linger.append(sections, batch.isAsSent ? sent : undefined)
  // Only now: a request that ends in 503 comes again, and its verdicts with it.
  deps.metrics.accepted.inc(acceptedCount)
  for (const [reason, count] of rejections.countByReason) deps.metrics.rejected.inc({ reason }, count)
  deps.ingestCounts?.judged(acceptedCount, rejections)
  const rejected = rejections.list()
  if (acceptedCount > 0 || rejected.length === 0) return { accepted: acceptedCount, rejected }
  throw new ApiError(
    'nothing-acceptable',
    `Not one of ${rejections.total} samples could be accepted; the first reason: ${rejected[0]?.detail}`,
    { details: rejected },
  )
}

/** @throws ApiError content-type-unsupported. */
function bodyType(header: string | undefined): 'json' | 'avro' {
  const [type = '', ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase())
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length)
  const isUtf8 = charset === undefined || utf8Names.has(charset.replaceAll('"', ''))
  if (type === 'application/json' && isUtf8) return 'json'
  if (type === avroContentType) return 'avro'
  const sent =
    header === undefined ? 'There is no Content-Type' : `Content-Type ${JSON.stringify(header.slice(0, 100))}`
  throw new ApiError(
    'content-type-unsupported',
    `${sent}: send application/json (in UTF-8) or ${avroContentType}, compressed by Content-Encoding if at all`,
  )
}

const utf8Names = new Set(['utf-8', 'utf8', 'us-ascii'])
