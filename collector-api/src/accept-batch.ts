/**
 * A decoded body -> what of it is accepted, as canonical sections with their place in the log, and a verdict on all the rest.
 * Samples are judged one by one: a bad one never takes its neighbours down, and judging never stops early.
 *
 * Canonical: startMs and stepMs are whole seconds (ms since the epoch), labels sorted, values little-endian float64, 0
 * never negative. Within a request the first value of a second wins. Nothing is kept between requests but verdicts on
 * series lists, and which series were sent lately.
 */
import type { Clock } from '@minutely/lib/clock'
import type { SampleLog } from '@minutely/lib/sample-log/sample-log'
import { ApiError } from '@minutely/schema/error-catalogue'
import {
  CodecError,
  decodeSampleBatch,
  encodeSampleBatch,
  type SampleBatch,
  UnknownSchemaError,
} from '@minutely/schema/sample-codec'
import { acceptAvro } from './accept/accept-avro.ts'
import { acceptColumns } from './accept/accept-columns.ts'
import { acceptRows } from './accept/accept-rows.ts'
import { Acceptance } from './accept/acceptance.ts'
import type { ActiveSeries } from './accept/active-series.ts'
import { timeBounds } from './accept/judge-time.ts'
import type { Rejections } from './accept/rejections.ts'
import type { SeriesListCache } from './accept/series-list-cache.ts'
import type { CollectorConfig } from './config.ts'
import { readJson } from './read-json.ts'
import { type RoutedSection, routeSeries } from './series-routing.ts'

export type BatchForm = 'columns' | 'rows' | 'avro'

export interface AcceptedBatch {
  readonly form: BatchForm
  readonly acceptedCount: number
  readonly rejections: Rejections
  /** In the order in which they have to be folded. */
  readonly sections: readonly RoutedSection[]
  /** The sections are what the body says, and all that it says. */
  readonly isAsSent: boolean
}

export interface AcceptBatchDeps {
  readonly clock: Clock
  readonly sampleLog: Pick<SampleLog, 'route'>
  readonly cache: SeriesListCache
  /** The one that the cache has. */
  readonly activeSeries: ActiveSeries
  readonly config: Pick<CollectorConfig, 'seriesPerRequestMax' | 'sampleAgeMsMax' | 'sampleFutureMsMax'>
}

/** Every request's, until there are tokens that say whose a request is. */
const tenantId = 'default'

/** @throws ApiError body-unreadable, schema-unknown or body-too-large when nothing in the body can be judged. */
export function acceptBatch(body: Buffer, type: 'json' | 'avro', deps: AcceptBatchDeps): AcceptedBatch {
  const { clock, config, activeSeries } = deps
  const nowMs = clock.nowMs()
  activeSeries.observe(nowMs)
  const bounds = timeBounds(nowMs, config)
  const acceptance = new Acceptance({ tenantId, bounds, seriesMax: config.seriesPerRequestMax, activeSeries })
  const { form, isAsSent } = judge(body, type, { acceptance, cache: deps.cache })
  const { acceptedCount, rejections } = acceptance
  return { form, acceptedCount, rejections, isAsSent, sections: sectionsOf(acceptance, deps) }
}

function judge(
  body: Buffer,
  type: 'json' | 'avro',
  { acceptance, cache }: { acceptance: Acceptance; cache: SeriesListCache },
): Pick<AcceptedBatch, 'form' | 'isAsSent'> {
  if (type === 'avro') {
    return { form: 'avro', isAsSent: acceptAvro(readAvro(body), acceptance, { cache }) }
  }
  const json = readJson(body)
  if (json.kind === 'columns') acceptColumns(json, acceptance)
  else acceptRows(json.samples, acceptance)
  return { form: json.kind, isAsSent: false }
}

/** C3 01 and the fingerprint of the newest schema we read. */
const knownMark = encodeSampleBatch({ serverId: '', sentAtMs: 0, blocks: [] }).subarray(0, 10)

function readAvro(body: Buffer): SampleBatch {
  try {
    return decodeSampleBatch(body)
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    // An id of its own: whoever sends it is newer than we are, and may send it again once we are upgraded.
    if (error instanceof UnknownSchemaError) {
      throw new ApiError(
        'schema-unknown',
        `No schema with fingerprint ${body.toString('hex', 2, 10)} is known here: upgrade the collector, or send SampleBatch ` +
          `with fingerprint ${knownMark.toString('hex', 2)}`,
        { cause: error },
      )
    }
    throw new ApiError('body-unreadable', `The body is no Avro SampleBatch: ${error.message}`, { cause: error })
  }
}

function sectionsOf(acceptance: Acceptance, deps: AcceptBatchDeps): RoutedSection[] {
  const built = acceptance.builder.build().map(({ section, series, order }) => {
    return { section, routing: routeSeries(section, series, deps), order }
  })
  if (acceptance.passed.length === 0) return built
  return [...acceptance.passed, ...built].sort((a, b) => a.order - b.order)
}
