/**
 * What stands in a page's place while its code is on its way, and when it did not come or failed: an update of Minutely replaces
 * the files that an open page names, so reading them anew is the way out.
 */
import { Button } from '@mantine/core'
import { Component, type ReactNode, Suspense } from 'react'

interface PageBoundaryProps {
  readonly children: ReactNode
}

interface PageBoundaryState {
  readonly problem: string | undefined
}

export class PageBoundary extends Component<PageBoundaryProps, PageBoundaryState> {
  override readonly state: PageBoundaryState = { problem: undefined }

  static getDerivedStateFromError(error: unknown): PageBoundaryState {
    return { problem: error instanceof Error ? error.message : String(error) }
  }

  override render(): ReactNode {
    const { problem } = this.state
    if (problem === undefined) {
      return <Suspense fallback={<div className="page-coming" aria-busy="true" />}>{this.props.children}</Suspense>
    }
    return (
      <div className="page-failed" role="alert">
        <h1>This page did not load</h1>
        <p>
          Minutely may have been updated or stopped since you opened it. The browser says: <code>{problem}</code>
        </p>
        <Button variant="default" onClick={() => location.reload()}>
          Load the page again
        </Button>
      </div>
    )
  }
}
