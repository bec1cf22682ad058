/**
 * Home: every server, searched and paged by the API, the freshest knowledge kept on the page while the API is away. The
 * address holds the search (`?query=`).
 */
import { Button, TextInput } from '@mantine/core'
import { useDebouncedValue, useDocumentTitle } from '@mantine/hooks'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { useSearchParams } from 'wouter'
import { readServers } from '../api.ts'
import { createGate } from '../gate.ts'
import { ago } from '../instant-text.ts'
import { useKeys } from '../keys.ts'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { AddServer } from './add-server.tsx'
import { DiskLine } from './disk-line.tsx'
import { FirstSamples } from './first-samples.tsx'
import { OnlyServer } from './only-server.tsx'
import { ServerTable } from './server-table.tsx'
import './server-list.css'

const pageSize = 50
const refreshMs = 15_000
/** Somebody waits for the first server. */
const emptyRefreshMs = 2_000
const retryMs = 5_000
/** Of the browser's six connections to a host. */
const sparklineReadsMax = 3

export function ServerList() {
  const [params, setParams] = useSearchParams()
  const query = params.get('query') ?? ''
  const [asked] = useDebouncedValue(query.trim(), 200)
  const nowMs = useNow(5_000)
  const search = useRef<HTMLInputElement>(null)
  const [gate] = useState(() => createGate(sparklineReadsMax))
  useDocumentTitle('Servers – Minutely')
  useKeys({ '/': () => search.current?.focus() })

  const list = useInfiniteQuery({
    queryKey: ['servers', asked],
    queryFn: ({ pageParam, signal }) => readServers({ query: asked, limit: pageSize, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => {
      if (state.error !== null) return retryMs
      return asked === '' && state.data?.pages[0]?.servers.length === 0 ? emptyRefreshMs : refreshMs
    },
  })
  const servers = list.data?.pages.flatMap((page) => page.servers)
  const isEmpty = asked === '' && servers?.length === 0
  const isOne = asked === '' && servers?.length === 1 && !list.hasNextPage
  const [only] = servers ?? []

  const setQuery = (text: string) =>
    setParams(
      (before) => {
        if (text === '') before.delete('query')
        else before.set('query', text)
        return before
      },
      { replace: true },
    )

  return (
    <>
      <div className="list-head">
        <h1>Servers</h1>
        <span className="dim" aria-live="polite">
          {servers !== undefined && !isEmpty && countText(servers.length, list.hasNextPage)}
        </span>
        <TextInput
          ref={search}
          className="list-search"
          type="search"
          aria-label="Search servers"
          placeholder="Search servers  ( / )"
          value={query}
          onChange={(event) => setQuery(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return
            setQuery('')
            event.currentTarget.blur()
          }}
        />
        {!isEmpty && <AddServer />}
      </div>

      {list.error !== null && (
        <Notice tone="bad" onRetry={() => void list.refetch()} isRetrying={list.isFetching}>
          {asSentence(list.error.message)} Trying again every {retryMs / 1000} s.
          {servers !== undefined && (
            <strong> What you see is stale: as it was {ago(list.dataUpdatedAt, nowMs)}.</strong>
          )}
        </Notice>
      )}

      {servers === undefined && list.error === null && <ServerTable servers={undefined} nowMs={nowMs} gate={gate} />}
      {isEmpty && <FirstSamples />}
      {servers !== undefined && servers.length === 0 && asked !== '' && (
        <div className="list-none">
          <p>
            No server's name contains <strong>{asked}</strong>.
          </p>
          <Button variant="default" size="xs" onClick={() => setQuery('')}>
            Show all servers
          </Button>
        </div>
      )}
      {isOne && only !== undefined && <OnlyServer server={only} nowMs={nowMs} gate={gate} />}
      {servers !== undefined && servers.length > 0 && !isOne && (
        <ServerTable servers={servers} nowMs={nowMs} gate={gate} isStale={list.error !== null} />
      )}
      {list.hasNextPage && (
        <div className="list-more">
          <Button variant="default" onClick={() => void list.fetchNextPage()} loading={list.isFetchingNextPage}>
            Show {pageSize} more
          </Button>
        </div>
      )}
      {servers !== undefined && !isEmpty && <DiskLine />}
    </>
  )
}

function countText(count: number, hasMore: boolean): string {
  if (hasMore) return `the first ${count}`
  return count === 1 ? '1 server' : `${count} servers`
}
