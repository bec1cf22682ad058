/** The metrics of the fleet, by name: how many servers send each, and the way to its page. */
import { useDocumentTitle } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { Link } from 'wouter'
import { readMetricList } from '../api.ts'
import { Notice } from '../notice.tsx'

const listedMax = 1000

export function MetricList() {
  useDocumentTitle('Metrics – Minutely')
  const list = useQuery({
    queryKey: ['metric-list', '', listedMax],
    queryFn: ({ signal }) => readMetricList({ query: '', limit: listedMax, cursor: null }, signal),
  })
  return (
    <>
      <h1>Metrics</h1>
      {list.error !== null && (
        <Notice tone="bad" onRetry={() => void list.refetch()} isRetrying={list.isFetching}>
          {list.error.message}
        </Notice>
      )}
      {list.data?.metrics.length === 0 && <p className="dim">No server has sent a metric yet.</p>}
      <ul>
        {list.data?.metrics.map(({ metricId, serverCount }) => (
          <li key={metricId}>
            <Link href={`/metrics/${encodeURIComponent(metricId)}`}>{metricId}</Link>{' '}
            <span className="dim">{serverCount === 1 ? '1 server' : `${serverCount} servers`}</span>
          </li>
        ))}
      </ul>
      {typeof list.data?.nextCursor === 'string' && <p className="dim">These are the first {listedMax} by name.</p>}
    </>
  )
}
