/** How samples arrive: rate, lag, what is late or refused. Nothing leads here yet. */
import { useDocumentTitle } from '@mantine/hooks'

export function IngestPage() {
  useDocumentTitle('Ingest – Minutely')
  return (
    <>
      <h1>Ingest</h1>
      <p>
        This page does not show yet how samples arrive. Each service says it in numbers at{' '}
        <a href="/metrics">/metrics</a>.
      </p>
    </>
  )
}
