/** One metric across servers. For now: its name, and where its values are. */
import { useDocumentTitle } from '@mantine/hooks'
import { Link } from 'wouter'

export function MetricPage({ metricId }: { metricId: string }) {
  useDocumentTitle(`${metricId} – Minutely`)
  return (
    <>
      <h1>{metricId}</h1>
      <p>
        Each server's page has this metric's chart: <Link href="/">choose a server</Link>, or go back to{' '}
        <Link href="/metrics/">all metrics</Link>.
      </p>
    </>
  )
}
