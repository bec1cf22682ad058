/**
 * JSON columns, `{"serverId","startMs","stepMs","series":[{"metricId","labels"?,"values":[0.31,null]}]}`: each series judged
 * on its own, then (take-series.ts) each of its values.
 */
import { secondMs } from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import type { JsonBody } from '../read-json.ts'
import type { Acceptance } from './acceptance.ts'
import { judgeSeries, type SeriesVerdict, serverIdProblem, shown } from './judge-series.ts'
import { gridProblem } from './judge-time.ts'
import type { SentPlace } from './rejections.ts'
import { type SeriesOnGrid, sampleCount, takeSeries } from './take-series.ts'

type ColumnsBody = Extract<JsonBody, { kind: 'columns' }>

type Refusal = Extract<SeriesVerdict, { kind: 'rejected' }>

export function acceptColumns(body: ColumnsBody, acceptance: Acceptance): void {
  acceptance.rejections.serverId = body.serverId
  const serverProblem = serverIdProblem(body.serverId)
  for (const [index, entry] of body.series.entries()) {
    const place: SentPlace = { list: 'series', index }
    const { metricId, labels, startMs, stepMs, values } = (entry ?? {}) as Record<string, unknown>
    if (typeof entry !== 'object' || !Array.isArray(values)) {
      const detail = () => `a series must be an object with an array "values", not ${shown(entry)}`
      acceptance.rejections.add(metricId, 'series-malformed', { count: 1, place, detail })
      continue
    }
    const series: SeriesVerdict =
      serverProblem === null ? judgeSeries(metricId, labels) : refusal('server-id-invalid', serverProblem)
    if (series.kind === 'rejected') {
      refuseAll({ metricId, values, place }, series, acceptance)
      continue
    }
    const grid = { startMs: startMs ?? body.startMs, stepMs: stepMs ?? body.stepMs ?? secondMs }
    const problem = gridProblem(grid, acceptance.bounds)
    if (problem !== null) {
      refuseAll({ metricId, values, place }, refusal('time-invalid', problem), acceptance)
      continue
    }
    takeColumn(
      {
        ...(grid as { startMs: number; stepMs: number }),
        serverId: body.serverId as string,
        series: series.series,
        values,
        place,
      },
      acceptance,
    )
  }
}

function takeColumn(column: Omit<SeriesOnGrid, 'order' | 'slotCount'>, acceptance: Acceptance): void {
  const { serverId, series, values, place } = column
  const listed = acceptance.list(serverId, series)
  if (listed.kind === 'rejected') refuseAll({ metricId: series.metricId, values, place }, listed, acceptance)
  else takeSeries({ ...column, order: listed.before, slotCount: values.length }, acceptance)
}

function refusal(reason: RejectReason, detail: string): Refusal {
  return { kind: 'rejected', reason, detail }
}

function refuseAll(
  sent: { metricId: unknown; values: ArrayLike<unknown>; place: SentPlace },
  { reason, detail }: Refusal,
  acceptance: Acceptance,
): void {
  const count = sampleCount(sent.values, 0, sent.values.length)
  acceptance.rejections.add(sent.metricId, reason, { count, place: sent.place, detail: () => detail })
}
