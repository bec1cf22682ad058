/** The ranked servers, and the way from some of them to a comparison. */
import { Button } from '@mantine/core'
import { useState } from 'react'
import { useLocation } from 'wouter'
import type { Scheme } from '../palette.ts'
import type { View } from '../time-range.ts'
import type { Unit } from '../unit.ts'
import { viewSearch } from '../use-view.ts'
import type { MetricView } from './metric-view.ts'
import { type RankedRow, RankingTable } from './ranking-table.tsx'

interface RankingPanelProps {
  readonly metricId: string
  readonly rows: readonly RankedRow[] | undefined
  readonly asked: MetricView
  readonly unit: Unit
  readonly scheme: Scheme
  readonly view: View
  readonly slot: number | undefined
  readonly slotText: string
  readonly onLit: (key: string | undefined) => void
}

export function RankingPanel({ asked, ...table }: RankingPanelProps) {
  const { metricId, view } = table
  const [, navigate] = useLocation()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const choose = (serverId: string, isChosen: boolean) => {
    const next = new Set(chosen)
    if (isChosen) next.add(serverId)
    else next.delete(serverId)
    setChosen(next)
  }
  const compare = () => {
    const params = new URLSearchParams(viewSearch(view, { metric: metricId }))
    for (const serverId of chosen) params.append('server', serverId)
    navigate(`/compare?${params}`)
  }
  return (
    <section className="panel ranking-panel" aria-labelledby="ranking-title">
      <header className="ranking-head">
        <h2 id="ranking-title">{asked.order === 'top' ? 'Highest' : 'Lowest'} over the range</h2>
        <Button size="compact-xs" variant="default" disabled={chosen.size === 0} onClick={compare}>
          {chosen.size > 1 ? `Compare ${chosen.size} servers` : 'Compare ticked'}
        </Button>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys */}
      <div className="ranking-scroll" tabIndex={0}>
        <RankingTable {...table} by={asked.by} rowCount={asked.n} chosen={chosen} onChoose={choose} />
      </div>
    </section>
  )
}
