/**
 * The metrics of the fleet by name: how many servers send each, when it was last seen, and the way to its page. Searched and paged by the
 * API; the address holds the search (`?query=`).
 */
import { Button } from '@mantine/core'
import { useDebouncedValue, useDocumentTitle } from '@mantine/hooks'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearchParams } from 'wouter'
import { useHistoryState } from 'wouter/use-browser-location'
import { readMetricList } from '../api.ts'
import { FilterBox } from '../filter-box.tsx'
import { ago } from '../instant-text.ts'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { MetricTable } from './metric-table.tsx'
import { searchState } from './search-state.ts'
import './metric-list.css'

const pageSize = 100
const refreshMs = 60_000
const retryMs = 5_000

export function MetricList() {
  const [params, setParams] = useSearchParams()
  const query = params.get('query') ?? ''
  const [asked] = useDebouncedValue(query.trim(), 200)
  const nowMs = useNow(retryMs)
  useDocumentTitle('Metrics – Minutely')
  const list = useInfiniteQuery({
    queryKey: ['metric-list', asked, pageSize],
    queryFn: ({ pageParam, signal }) => readMetricList({ query: asked, limit: pageSize, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => {
      if (state.error !== null) return retryMs
      return state.data?.pages[0]?.metrics.length === 0 ? retryMs : refreshMs
    },
  })
  const metrics = list.data?.pages.flatMap((page) => page.metrics)
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
      <div className="metrics-head">
        <h1>Metrics</h1>
        <span className="dim" aria-live="polite">
          {metrics !== undefined && countText(metrics.length, list.hasNextPage)}
        </span>
        <FilterBox
          label="Search metrics"
          value={query}
          onChange={setQuery}
          isFocused={useHistoryState() === searchState}
        />
      </div>
      {list.error !== null && (
        <Notice tone="bad" onRetry={() => void list.refetch()} isRetrying={list.isFetching}>
          {asSentence(list.error.message)} Trying again every {retryMs / 1000} s.
          {metrics !== undefined && (
            <strong> What you see is stale: as it was {ago(list.dataUpdatedAt, nowMs)}.</strong>
          )}
        </Notice>
      )}
      {metrics?.length === 0 ? (
        <div className="metrics-none">
          {asked === '' ? (
            <p>
              No server has sent a metric yet. <Link href="/">How to send some</Link>
            </p>
          ) : (
            <>
              <p>
                No metric's name contains <strong>{asked}</strong>.
              </p>
              <Button variant="default" size="xs" onClick={() => setQuery('')}>
                Show all metrics
              </Button>
            </>
          )}
        </div>
      ) : (
        <MetricTable metrics={metrics} nowMs={nowMs} isStale={list.error !== null} />
      )}
      {list.hasNextPage && (
        <div className="metrics-more">
          <Button variant="default" onClick={() => void list.fetchNextPage()} loading={list.isFetchingNextPage}>
            Show {pageSize} more
          </Button>
        </div>
      )}
    </>
  )
}

function countText(count: number, hasMore: boolean): string {
  if (hasMore) return `the first ${count}`
  return count === 1 ? '1 metric' : `${count} metrics`
}
