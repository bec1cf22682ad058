/** What the wall shows, which servers are meant, and how to add one. */
import { Select, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { type Ref, useState } from 'react'
import { AddServer } from '../server-list/add-server.tsx'
import { busyName } from './colourings.ts'
import { type Colouring, useLabels, useMetricNames } from './fleet-queries.ts'
import { type FleetView, wallAggregations } from './fleet-view.ts'

interface FleetToolbarProps {
  readonly ref: Ref<HTMLInputElement>
  readonly view: FleetView
  readonly colouring: Colouring
  /** Some server that has values, to know labels from. */
  readonly exampleId: string | undefined
  readonly silentCount: number
  /** The wall is there to be coloured. */
  readonly hasWall: boolean
  readonly onView: (change: Partial<FleetView>, isStep?: boolean) => void
}

const aggregationTexts: Readonly<Record<string, string>> = {
  avg: 'Average',
  min: 'Minimum',
  max: 'Maximum',
  sum: 'Sum',
  count: 'Samples',
}
const labelsShownMax = 4
/** What servers, and not their parts, are told apart by. */
const placeLabel = /(^|[._])(region|zone|site|datacenter|dc|rack|role|env|environment|cluster|service|team)([._]|$)/

export function FleetToolbar(props: FleetToolbarProps) {
  const { ref, view, colouring, exampleId, silentCount, hasWall, onView } = props
  return (
    <div className="fleet-toolbar">
      {hasWall && (
        <>
          <MetricPicker colouring={colouring} onView={onView} />
          <select
            aria-label="Of the minute"
            value={colouring.reading.aggregation}
            onChange={({ currentTarget: { value } }) =>
              onView({ aggregation: wallAggregations.find((one) => one === value) ?? 'avg', domain: undefined }, true)
            }
          >
            {wallAggregations
              .filter((one) => !colouring.reading.isRest || (one !== 'sum' && one !== 'count'))
              .map((one) => (
                <option key={one} value={one}>
                  {aggregationTexts[one]}
                </option>
              ))}
          </select>
          <LabelPickers view={view} colouring={colouring} exampleId={exampleId} onView={onView} />
        </>
      )}
      <TextInput
        ref={ref}
        className="fleet-search"
        type="search"
        aria-label="Search servers"
        placeholder="Search servers  ( / )"
        value={view.query}
        onChange={(event) => onView({ query: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return
          onView({ query: '' })
          event.currentTarget.blur()
        }}
      />
      <button
        type="button"
        className="quiet fleet-silent"
        aria-pressed={view.isSilentOnly}
        disabled={silentCount === 0 && !view.isSilentOnly}
        title="Servers that send nothing any more, by when they were last seen"
        onClick={() => onView({ isSilentOnly: !view.isSilentOnly }, true)}
      >
        Silent <b>{silentCount}</b>
      </button>
      <AddServer />
    </div>
  )
}

function MetricPicker({ colouring, onView }: Pick<FleetToolbarProps, 'colouring' | 'onView'>) {
  const [search, setSearch] = useState('')
  const [isOpen, setOpen] = useState(false)
  const [asked] = useDebouncedValue(search === colouring.title ? '' : search.trim(), 150)
  const names = useMetricNames(asked, isOpen)
  const found = names.data?.metrics.map(({ metricId }) => metricId) ?? []
  const isBusyMeant = busyName.toLowerCase().includes(asked.toLowerCase())
  return (
    <Select
      className="fleet-metric"
      aria-label="Metric of the wall"
      searchable
      allowDeselect={false}
      maxDropdownHeight={380}
      data={[...new Set([...(isBusyMeant ? [busyName] : []), ...(isOpen ? found : []), colouring.title])]}
      filter={({ options }) => options}
      nothingFoundMessage={names.isPending ? 'Reading…' : 'No such metric'}
      value={colouring.title}
      searchValue={search}
      onSearchChange={setSearch}
      onDropdownOpen={() => setOpen(true)}
      onChange={(title) =>
        onView(
          { metricId: title === null || title === busyName ? undefined : title, labels: [], domain: undefined },
          true,
        )
      }
    />
  )
}

function LabelPickers({
  view,
  colouring,
  exampleId,
  onView,
}: Pick<FleetToolbarProps, 'view' | 'colouring' | 'exampleId' | 'onView'>) {
  const labels = useLabels(colouring.metricId, exampleId).data ?? new Map<string, readonly string[]>()
  const names = [...labels.keys()]
  const groupings = [
    ...new Set([
      ...names.filter((name) => placeLabel.test(name)),
      ...(view.groupBy === undefined ? [] : [view.groupBy]),
    ]),
  ]
  const several = names.filter((name) => (labels.get(name)?.length ?? 0) > 1)
  const chosen = (name: string) =>
    view.labels.find((label) => label.startsWith(`${name}:`))?.slice(name.length + 1) ?? ''
  return (
    <>
      {view.metricId !== undefined &&
        several.slice(0, labelsShownMax).map((name) => (
          <select
            key={name}
            aria-label={name}
            title={name}
            value={chosen(name)}
            onChange={({ currentTarget: { value } }) => {
              const others = view.labels.filter((label) => !label.startsWith(`${name}:`))
              onView({ labels: value === '' ? others : [...others, `${name}:${value}`], domain: undefined }, true)
            }}
          >
            <option value="">{name}: all, merged</option>
            {[...new Set([...(labels.get(name) ?? []), ...(chosen(name) === '' ? [] : [chosen(name)])])].map(
              (value) => (
                <option key={value} value={value}>
                  {value}
                </option>
              ),
            )}
          </select>
        ))}
      {groupings.length > 0 && (
        <select
          aria-label="Group by"
          value={view.groupBy ?? ''}
          onChange={({ currentTarget: { value } }) => onView({ groupBy: value === '' ? undefined : value }, true)}
        >
          <option value="">Group by name</option>
          {groupings.map((name) => (
            <option key={name} value={name}>
              Group by {name}
            </option>
          ))}
        </select>
      )}
    </>
  )
}
