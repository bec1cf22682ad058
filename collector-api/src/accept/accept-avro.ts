/**
 * Avro blocks (schema/src/sample-codec.ts), the form agents send. All being well, which is nearly always, a block costs one
 * memcmp of its series list and one pass over its matrix, and goes on as it is. Only a block in which something is wrong,
 * off the second grid, or partly out of time is taken apart, series by series.
 *
 *     list known and valid? ─ lengths right? ─ all slots in time? ─ all values finite? ──> passed on
 *               └───────────────── else ─────────────────┴──────────────> taken apart (take-series.ts)
 */
import { secondMs } from '@minutely/schema/limits'
import { CodecError, decodeSeriesList, type SampleBatch, type SampleBlock } from '@minutely/schema/sample-codec'
import type { RejectReason } from '@minutely/schema/sample-wire'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import { type Acceptance, seriesPerRequestDetail } from './acceptance.ts'
import { serverIdProblem } from './judge-series.ts'
import { gridProblem, slotsWithin } from './judge-time.ts'
import { countSamples, keptValues, matrixOf, scanMatrix } from './matrix.ts'
import type { SentPlace } from './rejections.ts'
import type { SeriesList, SeriesListCache } from './series-list-cache.ts'
import { gridStepMsMax, takeSeries } from './take-series.ts'

/** More than a list has rows: orders of one block's series stay below those of the next block. */
const ordersPerBlock = 200_000
/** How many lists back a block may repeat one without its series counting again. */
const recentListsMax = 4

interface ListInRequest {
  readonly list: SeriesList
  /** So many of its valid series fit into the request. */
  readonly allowedCount: number
}

interface BlockToJudge extends SampleBlock {
  readonly serverId: string
  readonly place: number
  readonly matrix: Float64Array
}

/** @returns whether all of it goes on as it was sent, so that its bytes may stand for it. */
export function acceptAvro(batch: SampleBatch, acceptance: Acceptance, deps: { cache: SeriesListCache }): boolean {
  acceptance.rejections.serverId = batch.serverId
  const serverProblem = serverIdProblem(batch.serverId)
  const recent: ListInRequest[] = []
  let seriesLeft = acceptance.seriesMax
  for (const [place, sent] of batch.blocks.entries()) {
    const block = { ...sent, serverId: batch.serverId, place, matrix: matrixOf(sent.values) }
    if (serverProblem !== null) {
      const count = countSamples(block.matrix, 0, block.matrix.length)
      const refused = { count, place: placeOf(block), detail: () => serverProblem }
      acceptance.rejections.add('(every metric)', 'server-id-invalid', refused)
      continue
    }
    let known = recent.find(({ list }) => list.bytes.equals(block.series))
    if (known === undefined) {
      const list = judgeList(block, acceptance, deps)
      if (list === null) continue
      known = { list, allowedCount: Math.min(seriesLeft, list.rowCount - list.rejected.size) }
      seriesLeft -= known.allowedCount
      recent.unshift(known)
      recent.length = Math.min(recent.length, recentListsMax)
    }
    acceptBlock(block, known, acceptance)
  }
  return acceptance.asSentCount === batch.blocks.length
}

function judgeList(block: BlockToJudge, acceptance: Acceptance, deps: { cache: SeriesListCache }): SeriesList | null {
  const { tenantId } = acceptance
  try {
    return deps.cache.judge(block.series, { tenantId, serverId: block.serverId, place: block.place })
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    refuseBlock(block, error.message, acceptance)
    return null
  }
}

/** Nobody can say how many samples a malformed block was meant to hold: its float64 are counted, and at least one. */
function refuseBlock(block: BlockToJudge, problem: string, acceptance: Acceptance): void {
  const count = Math.max(1, block.matrix.length)
  const refused = { count, place: placeOf(block), detail: () => problem }
  acceptance.rejections.add('(block)', 'series-malformed', refused)
}

function placeOf(block: BlockToJudge): SentPlace {
  return { list: 'blocks', index: block.place }
}

function placeOfRow(block: BlockToJudge, row: number): SentPlace {
  return { list: `blocks[${block.place}].series`, index: row }
}

function acceptBlock(block: BlockToJudge, { list, allowedCount }: ListInRequest, acceptance: Acceptance): void {
  const { slotCount, matrix, values, startMs, stepMs } = block
  if (slotCount < 0 || values.length !== list.rowCount * slotCount * Float64Array.BYTES_PER_ELEMENT) {
    const problem = `${list.rowCount} series of ${slotCount} slots do not make ${values.length} bytes of float64 values`
    refuseBlock(block, problem, acceptance)
    return
  }
  const problem = gridProblem(block, acceptance.bounds)
  if (problem !== null) {
    for (const [row, { metricId }] of decodeSeriesList(list.bytes).entries()) {
      refuseRow({ metricId, row }, { reason: 'time-invalid', detail: problem }, { block, acceptance })
    }
    return
  }
  const { from, to } = slotsWithin(block, acceptance.bounds)
  const scan = scanMatrix(matrix)
  const { sampleCount, badCount } = scan
  const isWhole = list.canonical !== null && allowedCount === list.rowCount && badCount === 0
  const isGrid = stepMs % secondMs === 0 && stepMs <= gridStepMsMax
  if (!isWhole || from > 0 || to < slotCount || !isGrid) {
    takeApart(block, { list, allowedCount }, acceptance)
    return
  }
  if (sampleCount === 0 || list.canonical === null) return
  const section = {
    tenantId: acceptance.tenantId,
    serverId: block.serverId,
    startMs: Math.floor(startMs / secondMs) * secondMs,
    stepMs,
    slotCount,
    series: list.canonical.bytes,
    values: keptValues(values, matrix, scan),
  }
  acceptance.passed.push({ section, routing: list.canonical.routing, order: block.place * ordersPerBlock })
  if (list.canonical.bytes === list.bytes) acceptance.asSentCount++
  acceptance.acceptedCount += sampleCount
}

function takeApart(block: BlockToJudge, { list, allowedCount }: ListInRequest, acceptance: Acceptance): void {
  const { serverId, startMs, stepMs, slotCount, matrix } = block
  const listed = new Map<string, number>()
  let allowedLeft = allowedCount
  for (const [row, series] of decodeSeriesList(list.bytes).entries()) {
    const rejected = list.rejected.get(row) ?? (allowedLeft-- > 0 ? null : tooManySeries(acceptance))
    if (rejected !== null) {
      refuseRow({ metricId: series.metricId, row }, rejected, { block, acceptance })
      continue
    }
    const key = seriesKey(series)
    const before = listed.get(key) ?? 0
    listed.set(key, before + 1)
    const values = matrix.subarray(row * slotCount, (row + 1) * slotCount)
    const order = block.place * ordersPerBlock + before
    const place = placeOfRow(block, row)
    takeSeries({ serverId, series, startMs, stepMs, slotCount, values, order, place }, acceptance)
  }
}

function tooManySeries(acceptance: Acceptance): { reason: RejectReason; detail: string } {
  return { reason: 'series-per-request', detail: seriesPerRequestDetail(acceptance.seriesMax) }
}

function refuseRow(
  { metricId, row }: Pick<SeriesRef, 'metricId'> & { row: number },
  { reason, detail }: { reason: RejectReason; detail: string },
  { block, acceptance }: { block: BlockToJudge; acceptance: Acceptance },
): void {
  const count = countSamples(block.matrix, row * block.slotCount, (row + 1) * block.slotCount)
  acceptance.rejections.add(metricId, reason, { count, place: placeOfRow(block, row), detail: () => detail })
}
