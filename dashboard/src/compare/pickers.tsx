/** Which servers and which metrics: both searched by the API while somebody types; metrics also as globs. */
import { MultiSelect, TagsInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type Ref, useState } from 'react'
import { readMetricList, readServers } from '../api.ts'
import { lineColor, type Scheme } from '../palette.ts'
import { globsMax, globsOf, serversMax } from './compare-view.ts'
import '@mantine/core/styles/Pill.css'
import '@mantine/core/styles/PillsInput.css'

/** As many as need no scrolling: who wants another one types more. */
const offeredMax = 10
const offersPx = 340
const typingMs = 200
const staleMs = 60_000
const dropdown = { shadow: 'md', withinPortal: false } as const

interface ServerPickerProps {
  readonly ref: Ref<HTMLInputElement>
  readonly serverIds: readonly string[]
  readonly scheme: Scheme
  readonly onChange: (serverIds: readonly string[]) => void
}

export function ServerPicker({ ref, serverIds, scheme, onChange }: ServerPickerProps) {
  const [search, setSearch] = useState('')
  const [asked] = useDebouncedValue(search.trim(), typingMs)
  const { data, error, isPlaceholderData } = useQuery({
    queryKey: ['servers-offered', asked],
    queryFn: ({ signal }) => readServers({ query: asked, limit: offeredMax + serversMax, cursor: null }, signal),
    placeholderData: keepPreviousData,
    staleTime: staleMs,
  })
  const found = data?.servers.map(({ serverId }) => serverId).filter((serverId) => !serverIds.includes(serverId)) ?? []
  return (
    <MultiSelect
      ref={ref}
      className="picker"
      size="xs"
      label="Servers"
      placeholder={serverIds.length === 0 ? 'Search servers  ( / )' : ''}
      data={[...found.slice(0, offeredMax), ...serverIds]}
      // The API has searched.
      filter={({ options }) => options}
      value={[...serverIds]}
      onChange={(next) => {
        setSearch('')
        onChange(next)
      }}
      onKeyDown={(event) => {
        // Enter takes the option that the arrows chose; where they chose none, the first that the search found.
        const [first] = found
        if (event.key !== 'Enter' || event.currentTarget.getAttribute('aria-activedescendant')) return
        if (first === undefined || search.trim() === '' || asked !== search.trim() || isPlaceholderData) return
        event.preventDefault()
        setSearch('')
        onChange([...serverIds, first].slice(0, serversMax))
      }}
      searchable
      searchValue={search}
      onSearchChange={setSearch}
      maxValues={serversMax}
      hidePickedOptions
      clearable
      clearButtonProps={{ 'aria-label': 'Remove all servers' }}
      maxDropdownHeight={offersPx}
      comboboxProps={dropdown}
      nothingFoundMessage={error === null ? `No server's name contains ${asked}` : error.message}
      renderPill={({ value, onRemove }) => (
        <Chosen text={String(value)} color={lineColor(scheme, serverIds.indexOf(String(value)))} onRemove={onRemove} />
      )}
    />
  )
}

interface MetricPickerProps {
  readonly globs: readonly string[]
  readonly onChange: (globs: readonly string[]) => void
}

export function MetricPicker({ globs, onChange }: MetricPickerProps) {
  const [search, setSearch] = useState('')
  const [asked] = useDebouncedValue(search.trim().replace(/^\*+|\*.*$/g, ''), typingMs)
  const { data } = useQuery({
    queryKey: ['metrics-offered', asked],
    queryFn: ({ signal }) => readMetricList({ query: asked, limit: offeredMax, cursor: null }, signal),
    placeholderData: keepPreviousData,
    staleTime: staleMs,
  })
  const metricIds = data?.metrics.map(({ metricId }) => metricId) ?? []
  return (
    <TagsInput
      className="picker"
      size="xs"
      label="Metrics"
      placeholder={globs.length === 0 ? 'A name, or a glob such as system.cpu.*' : ''}
      data={metricIds}
      filter={({ options }) => options.slice(0, offeredMax)}
      value={[...globs]}
      onChange={(next) => onChange(globsOf(next, new Set(metricIds)))}
      searchValue={search}
      onSearchChange={setSearch}
      maxTags={globsMax}
      splitChars={[',', ' ', ';']}
      clearable
      clearButtonProps={{ 'aria-label': 'Remove all metrics' }}
      maxDropdownHeight={offersPx}
      comboboxProps={dropdown}
      renderPill={({ value, onRemove }) => <Chosen text={String(value)} color={undefined} onRemove={onRemove} />}
    />
  )
}

interface ChosenProps {
  readonly text: string
  readonly color: string | undefined
  readonly onRemove: (() => void) | undefined
}

function Chosen({ text, color, onRemove }: ChosenProps) {
  return (
    <span className="chosen">
      {color !== undefined && <span className="swatch" style={{ '--swatch': color }} />}
      {text}
      <button type="button" aria-label={`Remove ${text}`} onClick={onRemove}>
        ×
      </button>
    </span>
  )
}
