/**
 * The page's data put together: rows of the whole fleet in the order of names, what they are coloured by, and how current all of that
 * is. While the API is away nobody falls silent: what is known is of the last answer.
 */
import { useQueryClient } from '@tanstack/react-query'
import { useMemo, useReducer, useRef, useState } from 'react'
import { type Unit, unitOf } from '../unit.ts'
import { useProgress } from '../use-progress.ts'
import { type Domain, domainOf } from './colour-scale.ts'
import { colouringOf, fallbackOf } from './colourings.ts'
import { fleetKey, useFleet, useLatest, useMetricNames } from './fleet-queries.ts'
import { rowsOf, silenceReference } from './fleet-rows.ts'
import type { FleetView } from './fleet-view.ts'

export type FleetData = ReturnType<typeof useFleetRows>

/** With fewer the list leads, and the wall is a strip above it. */
export const wallLeadsFrom = 25

export function useFleetRows(view: FleetView, { browserMs, isList }: { browserMs: number; isList: boolean }) {
  const queries = useQueryClient()
  const progress = useProgress(() => {
    const predicate = ({ queryKey }: { queryKey: readonly unknown[] }) => queryKey[1] !== 'labels'
    void queries.invalidateQueries({ queryKey: fleetKey, predicate })
  })
  const [isFew, setFew] = useState(false)
  const list = useFleet(isList || isFew)
  const count = list.data?.servers.length
  if (count !== undefined && count < wallLeadsFrom !== isFew) setFew(!isFew)
  const asked = colouringOf(view)
  const askedLatest = useLatest(asked, view.groupBy)
  // Nobody chose CPU busy, and nobody sends it.
  const isUnknown = view.metricId === undefined && askedLatest.data?.servers.length === 0
  const names = useMetricNames('', isUnknown)
  const fallback = isUnknown && names.data !== undefined ? fallbackOf(names.data) : undefined
  const colouring = fallback === undefined ? asked : colouringOf({ ...view, metricId: fallback })
  const latest = useLatest(colouring, view.groupBy)

  const nowMs = (list.error === null ? browserMs : list.dataUpdatedAt) + progress.skewMs
  const throughMs = Math.max(progress.completeThroughMs, latest.data?.completeThroughMs ?? 0)
  const referenceMs = silenceReference(nowMs, throughMs)
  // Who is silent changes with the minutes, not with each tick.
  const silenceMs = Math.floor(referenceMs / 10_000) * 10_000
  const { aggregation, isRest } = colouring.reading
  const rows = useMemo(
    () =>
      list.data && rowsOf(list.data.servers, latest.data, { reading: { aggregation, isRest }, referenceMs: silenceMs }),
    [list.data, latest.data, aggregation, isRest, silenceMs],
  )
  const values = useMemo(
    () =>
      (rows ?? []).flatMap(({ value, isSilent }) => (value === null || isSilent ? [] : [value])).sort((a, b) => a - b),
    [rows],
  )
  const unit: Unit = aggregation === 'count' ? 'number' : unitOf(colouring.metricId)
  const whole = unit === 'ratio' ? 1 : unit === 'percent' ? 100 : undefined
  const current = useMemo(() => domainOf(values, whole), [values, whole])
  const question = JSON.stringify([colouring.metricId, colouring.labels, aggregation])
  const isAnswered = latest.data !== undefined && !latest.isPlaceholderData
  const still = useStillDomain(question, isAnswered ? current : undefined)
  const silentCount = useMemo(() => (rows ?? []).filter(({ isSilent }) => isSilent).length, [rows])
  const example = useMemo(() => rows?.find(({ value }) => value !== null) ?? rows?.[0], [rows])
  return {
    list,
    latest,
    rows,
    values,
    colouring,
    unit,
    progress,
    nowMs,
    silentCount,
    current,
    domain: view.domain ?? still.domain,
    rescale: still.rescale,
    exampleId: example?.server.serverId,
  }
}

/** The first domain that a question had, until somebody asks for another: colours that shift every minute say nothing. */
function useStillDomain(question: string, current: Domain | undefined) {
  const kept = useRef<{ question: string; domain: Domain | undefined }>(undefined)
  const [, draw] = useReducer((count: number) => count + 1, 0)
  if (kept.current?.question !== question || kept.current.domain === undefined) {
    kept.current = { question, domain: current }
  }
  const { domain } = kept.current
  return {
    domain,
    rescale: () => {
      kept.current = { question, domain: current }
      draw()
    },
  }
}
