/** Several servers and metrics beside each other, over one range. Everything is in the address (compare-view.ts, time-range.ts). */
import { useComputedColorScheme } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import { useAnnotations } from '../annotations/use-annotations.ts'
import { ChartToolbar } from '../chart-toolbar.tsx'
import { ago } from '../instant-text.ts'
import { useKeys } from '../keys.ts'
import { LiveText } from '../live-text.tsx'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { QueryProblem } from '../query-problem.tsx'
import { useProgress, useRefetchWhenLost } from '../use-progress.ts'
import { useView, type ViewControl } from '../use-view.ts'
import { compareKey, retryMs, useCompare } from './compare-query.ts'
import { type CompareView, readCompareView, writeList } from './compare-view.ts'
import { ComparedCharts } from './compared-charts.tsx'
import { Offers } from './offers.tsx'
import { MetricPicker, ServerPicker } from './pickers.tsx'
import './compare.css'

const tickMs = 5_000
/** An answer that is on its way is waited for, however slow. */
const unhurried = { cancelRefetch: false } as const
const syncKey = 'compare'
const everything = {}

export function ComparePage() {
  const queries = useQueryClient()
  const progress = useProgress(() => void queries.invalidateQueries({ queryKey: [compareKey] }, unhurried))
  const clockMs = useNow(tickMs)
  const nowMs = clockMs + progress.skewMs
  const control = useView(nowMs, syncKey)
  const { view, params, stepMsMin, setParams } = control
  const compared = useMemo(() => readCompareView(params), [params])
  const { serverIds, globs, by } = compared
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const search = useRef<HTMLInputElement>(null)
  useKeys({ '/': () => search.current?.focus() })
  useDocumentTitle(`Compare ${serverIds.join(', ')} – Minutely`)
  const annotations = useAnnotations(everything, view, nowMs)
  const query = useCompare({ serverIds, globs, view, stepMsMin, nowMs })
  const { data, error, refetch } = query
  useRefetchWhenLost(progress, refetch)
  const isReady = serverIds.length > 0 && globs.length > 0
  const stepMs = data?.servers.find(({ range }) => range !== undefined)?.range?.stepMs

  return (
    <>
      <div className="page-head">
        <h1>Compare</h1>
        <LiveText progress={progress} />
      </div>
      <div className="pickers">
        <ServerPicker
          ref={search}
          serverIds={serverIds}
          scheme={scheme}
          onChange={(next) => setParams((into) => writeList(into, 'server', next))}
        />
        <MetricPicker globs={globs} onChange={(next) => setParams((into) => writeList(into, 'metric', next))} />
      </div>
      <ChartToolbar
        control={control}
        stepMs={stepMs}
        annotations={annotations}
        nowMs={nowMs}
        syncKey={syncKey}
        offers={<ChartsBy by={by} setParams={setParams} />}
      >
        {error !== null && (
          <QueryProblem
            error={error}
            retryMs={retryMs}
            onRetry={() => void refetch()}
            isRetrying={query.isFetching}
            staleText={data === undefined ? undefined : ago(query.dataUpdatedAt, clockMs)}
          />
        )}
      </ChartToolbar>
      {data?.servers.map(
        ({ serverId, problem }) =>
          problem !== undefined && (
            <Notice key={serverId} tone="warn">
              {serverId}: {asSentence(problem)}
            </Notice>
          ),
      )}
      {isReady ? (
        <ComparedCharts
          data={data}
          compared={compared}
          annotations={annotations}
          control={control}
          syncKey={syncKey}
          hasFailed={error !== null}
        />
      ) : (
        <Offers serverIds={serverIds} globs={globs} setParams={setParams} />
      )}
    </>
  )
}

function ChartsBy({ by, setParams }: Pick<CompareView, 'by'> & Pick<ViewControl, 'setParams'>) {
  return (
    <label className="choice">
      <span className="dim">Charts</span>
      <select
        aria-label="Charts"
        value={by}
        onChange={({ currentTarget: { value } }) => setParams((into) => into.set('by', value))}
      >
        <option value="metric">by metric</option>
        <option value="server">by server</option>
      </select>
    </label>
  )
}
