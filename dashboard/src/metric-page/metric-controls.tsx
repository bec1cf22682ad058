/** What of the metric is shown: which value of a step, which servers are lines, which labels. All of it is in the address. */
import { type Aggregation, aggregations, aggregationTexts } from './aggregations.ts'
import { type Facet, type MetricView, ns, writeLabels } from './metric-view.ts'

interface MetricControlsProps {
  readonly asked: MetricView
  readonly labels: ReadonlyMap<string, string>
  readonly facets: readonly Facet[]
  /** Servers have several series each, so taking them together or not makes a difference. */
  readonly hasSeveral: boolean
  readonly setParams: (change: (params: URLSearchParams) => void) => void
}

export function MetricControls({ asked, labels, facets, hasSeveral, setParams }: MetricControlsProps) {
  const set = (name: string, value: string) => setParams((params) => params.set(name, value))
  const setLabel = (name: string, value: string) =>
    setParams((params) => {
      const next = new Map(labels)
      if (value === '') next.delete(name)
      else next.set(name, value)
      writeLabels(params, next)
    })
  return (
    <div className="choices">
      <Choice label="Value" value={asked.by} onChange={(value) => set('by', value)}>
        {aggregations.map((by: Aggregation) => (
          <option key={by} value={by}>
            {aggregationTexts[by]}
          </option>
        ))}
      </Choice>
      <Choice label="Lines" value={asked.order} onChange={(value) => set('order', value)}>
        <option value="top">Highest</option>
        <option value="bottom">Lowest</option>
      </Choice>
      <Choice label="How many lines" isLabelHidden value={String(asked.n)} onChange={(value) => set('n', value)}>
        {ns.map((n) => (
          <option key={n} value={n}>
            {n}
          </option>
        ))}
      </Choice>
      {facets.map(({ name, values }) => (
        <Choice key={name} label={name} value={labels.get(name) ?? ''} onChange={(value) => setLabel(name, value)}>
          <option value="">any</option>
          {values.map((value) => (
            <option key={value} value={value}>
              {value}
            </option>
          ))}
        </Choice>
      ))}
      {hasSeveral && (
        <Choice label="Spread over" value={asked.per} onChange={(value) => set('per', value)}>
          <option value="server">servers, all series of each together</option>
          <option value="series">series</option>
        </Choice>
      )}
    </div>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly isLabelHidden?: boolean
  readonly value: string
  readonly onChange: (value: string) => void
  readonly children: React.ReactNode
}

function Choice({ label, isLabelHidden = false, value, onChange, children }: ChoiceProps) {
  return (
    <label className="choice">
      <span className={isLabelHidden ? 'hidden-text' : 'dim'}>{label}</span>
      <select aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {children}
      </select>
    </label>
  )
}
