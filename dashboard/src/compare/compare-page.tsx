/** Servers beside each other. Nothing leads here yet. */
import { useDocumentTitle } from '@mantine/hooks'
import { Link } from 'wouter'

export function ComparePage() {
  useDocumentTitle('Compare – Minutely')
  return (
    <>
      <h1>Compare</h1>
      <p>
        Servers cannot be compared here yet. <Link href="/">All servers</Link>
      </p>
    </>
  )
}
