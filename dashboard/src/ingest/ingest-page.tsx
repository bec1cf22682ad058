/**
 * Ingest health: what comes in, what is refused and why, of whom, and how late the rest is. Read anew when a minute was closed. Counts are of
 * closed minutes; lag is of now.
 */
import { useDocumentTitle } from '@mantine/hooks'
import type { IngestAnswer } from '@minutely/schema/ingest-wire'
import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useMemo } from 'react'
import { Link } from 'wouter'
import { ago } from '../instant-text.ts'
import { CompleteThrough, LiveText } from '../live-text.tsx'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { linesMax } from '../palette.ts'
import { RangePicker } from '../range-picker.tsx'
import { minuteMs, rangeOf, stepText } from '../time-range.ts'
import { formatValue } from '../unit.ts'
import { useProgress } from '../use-progress.ts'
import { useView } from '../use-view.ts'
import { IngestChart, type IngestLine } from './ingest-chart.tsx'
import { countText, figuresOf, lagMsMax, ratesOf, shareText, verdictOf } from './ingest-figures.ts'
import { ingestKey, retryMs, useIngest } from './ingest-query.ts'
import { HostTable, LagTable, ReasonTable, RequestTable, SourceTable } from './ingest-tables.tsx'
import '../chart-page.css'
import './ingest.css'

const tickMs = 5_000
const secondMs = 1_000
const syncKey = 'ingest'
const noLines: readonly IngestLine[] = []

export function IngestPage() {
  const queries = useQueryClient()
  const progress = useProgress(() => void queries.invalidateQueries({ queryKey: ingestKey }))
  const clockMs = useNow(tickMs)
  const nowMs = clockMs + progress.skewMs
  const control = useView(nowMs, syncKey)
  const { view, window, show } = control
  useDocumentTitle(`Ingest · ${view.kind === 'last' ? rangeOf(view.range).label : 'zoom'} – Minutely`)
  const { query: ingest, known } = useIngest({ view, stepMsMin: control.stepMsMin, nowMs })
  const data = known?.data
  const charts = useMemo(() => chartsOf(data), [data])
  const figures = data === undefined ? undefined : figuresOf(data)
  const verdict = data === undefined ? undefined : verdictOf(data)
  // The lag goes on while the page is looked at.
  const lagMs = data?.lag.worstMs == null ? undefined : data.lag.worstMs + Math.max(0, nowMs - data.nowMs)
  const judged = (figures?.accepted ?? 0) + (figures?.rejected ?? 0)
  const chart = { grid: data, control, syncKey }
  return (
    <>
      <div className="page-head">
        <h1>Ingest</h1>
        <LiveText progress={progress} />
        <dl className="page-facts">
          <CompleteThrough completeThroughMs={data?.completeThroughMs ?? 0} nowMs={nowMs} />
        </dl>
      </div>
      <div className="toolbar">
        <div className="toolbar-row">
          <RangePicker view={view} window={window} nowMs={nowMs} onView={show} />
          <span className="toolbar-end">
            <span className="toolbar-step">Each point: {stepText(Math.max(data?.stepMs ?? 0, window.stepMs))}</span>
            <span className="legend-open">
              <span className="legend-hatch" aria-hidden="true" /> Provisional
            </span>
          </span>
        </div>
        {ingest.error !== null && (
          <Notice tone="bad" onRetry={() => void ingest.refetch()} isRetrying={ingest.isFetching}>
            {asSentence(ingest.error.message)} Trying again every {retryMs / 1000} s.
            {known !== undefined && <strong> What you see is stale: as it was {ago(known.readAtMs, clockMs)}.</strong>}
          </Notice>
        )}
      </div>
      <div className="ingest" data-stale={ingest.error !== null} aria-busy={data === undefined}>
        <p className="ingest-verdict" data-testid="ingest-verdict" data-health={verdict?.health}>
          {verdict === undefined ? (
            <span className="bone" />
          ) : (
            <span className="state" data-state={verdict.health === 'unknown' ? 'calm' : verdict.health}>
              {verdict.text}
            </span>
          )}
          {verdict?.health === 'unknown' && (
            <span className="dim">
              {' '}
              in this range, or not for a minute yet. <Link href="/">How to send samples</Link>
            </span>
          )}
        </p>
        <dl className="ingest-tiles">
          <Tile
            name="Accepted"
            value={figures?.ratePerS === undefined ? undefined : formatValue(figures.ratePerS, 'perSecond')}
          >
            {countText(figures?.accepted ?? 0)} samples in this range
          </Tile>
          <Tile
            name="Refused"
            value={figures && countText(figures.rejected)}
            tone={figures && figures.rejected > 0 ? 'warn' : undefined}
          >
            {figures && figures.rejected > 0
              ? `${shareText(figures.rejected, judged)} of all samples`
              : 'Nothing was refused'}
          </Tile>
          <Tile
            name="Requests refused"
            value={figures && countText(figures.refusedRequests)}
            tone={figures && figures.refusedRequests > 0 ? 'warn' : undefined}
          >
            As a whole; their samples are not counted
          </Tile>
          <Tile name="Late" value={figures && countText(figures.late)}>
            Merged into closed minutes; nothing is lost
          </Tile>
          <Tile
            name="Lag"
            value={lagMs === undefined ? undefined : formatValue(lagMs / 1000, 'seconds')}
            tone={lagMs !== undefined && lagMs > lagMsMax ? 'bad' : undefined}
          >
            {data === undefined ? '' : lagText(data.lag.partitionCount)}
          </Tile>
          {data !== undefined && data.logGapCount > 0 && (
            <Tile name="Gaps in the log" value={countText(data.logGapCount)} tone="bad">
              Records were gone before they were read
            </Tile>
          )}
        </dl>
        <div className="cards">
          <IngestChart {...chart} title="Accepted" lines={charts.accepted} unit="perSecond" empty="Nothing came in" />
          <IngestChart
            {...chart}
            title="Refused a minute, by reason"
            lines={charts.rejected}
            unit="number"
            empty="Nothing was refused"
          />
          <IngestChart
            {...chart}
            title="Late a minute, and seconds with two values"
            lines={charts.late}
            unit="number"
            empty="Nothing came late"
          />
          <IngestChart
            {...chart}
            title="Lag of the slowest partition"
            lines={charts.lag}
            unit="seconds"
            empty="No aggregator has reported"
          />
        </div>
        {data !== undefined && (
          <>
            <LagTable lag={data.lag} />
            <ReasonTable rejected={data.rejected} />
            <HostTable hosts={data.hosts} nowMs={nowMs} />
            <RequestTable requests={data.requests} />
            <SourceTable sources={data.sources} nowMs={nowMs} />
          </>
        )}
      </div>
    </>
  )
}

function lagText(partitionCount: number): string {
  const whose = partitionCount === 1 ? 'Of the one partition' : `Of the slowest of ${partitionCount} partitions`
  return `${whose}; 10 to 70 s is normal`
}

interface TileProps {
  readonly name: string
  /** Undefined while it is not known. */
  readonly value: string | undefined
  readonly tone?: 'warn' | 'bad' | undefined
  readonly children: ReactNode
}

function Tile({ name, value, tone, children }: TileProps) {
  return (
    <div className="ingest-tile" data-tone={tone} data-testid="ingest-tile" data-name={name}>
      <dt>{name}</dt>
      <dd>
        <strong>{value ?? '–'}</strong>
        <span className="dim">{children}</span>
      </dd>
    </div>
  )
}

interface Charts {
  readonly accepted: readonly IngestLine[]
  readonly rejected: readonly IngestLine[]
  readonly late: readonly IngestLine[]
  readonly lag: readonly IngestLine[]
}

/** In the order of the palette; a reason past its end is in the table. */
function chartsOf(data: IngestAnswer | undefined): Charts {
  if (data === undefined) return { accepted: noLines, rejected: noLines, late: noLines, lag: noLines }
  const { stepMs } = data
  const rejected = data.rejected
    .slice(0, linesMax)
    .map(({ reason, counts }, color) => ({ name: reason, color, values: ratesOf(counts, stepMs, minuteMs) }))
  return {
    accepted: [{ name: 'samples', color: 0, values: ratesOf(data.accepted, stepMs, secondMs) }],
    rejected,
    late: [
      { name: 'late', color: 0, values: ratesOf(data.late, stepMs, minuteMs) },
      { name: 'two values', color: 1, values: ratesOf(data.conflicting, stepMs, minuteMs) },
    ],
    lag: [{ name: 'lag', color: 0, values: data.lagSeconds }],
  }
}
