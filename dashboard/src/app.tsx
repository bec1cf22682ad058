/**
 * The frame around every page: which page the address means, and the jumps between them. Each page is code of its own, read when
 * somebody goes there, so that the first one is small.
 */
import { lazy, useState } from 'react'
import { Link, Route, Switch, useLocation } from 'wouter'
import { Help } from './help.tsx'
import { useKeys } from './keys.ts'
import { PageBoundary } from './page-boundary.tsx'
import { places } from './places.ts'
import { TopBar } from './top-bar.tsx'

const FleetPage = lazy(async () => ({ default: (await import('./fleet/fleet-page.tsx')).FleetPage }))
const ServerPage = lazy(async () => ({ default: (await import('./server-page/server-page.tsx')).ServerPage }))
const MetricList = lazy(async () => ({ default: (await import('./metric-list/metric-list.tsx')).MetricList }))
const MetricPage = lazy(async () => ({ default: (await import('./metric-page/metric-page.tsx')).MetricPage }))
const ComparePage = lazy(async () => ({ default: (await import('./compare/compare-page.tsx')).ComparePage }))
const IngestPage = lazy(async () => ({ default: (await import('./ingest/ingest-page.tsx')).IngestPage }))

export function App() {
  const [helpOpen, setHelpOpen] = useState(false)
  const [path, navigate] = useLocation()
  const jumps = Object.fromEntries(places.map(({ key, href }) => [`g ${key}`, () => navigate(href)]))
  useKeys({ ...jumps, '?': () => setHelpOpen(true) })
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <TopBar onHelp={() => setHelpOpen(true)} />
      <main id="main" className="page">
        <PageBoundary key={path}>
          <Switch>
            <Route path="/">
              <FleetPage kind="wall" />
            </Route>
            <Route path="/servers">
              <FleetPage kind="list" />
            </Route>
            <Route path="/servers/:serverId">{({ serverId }) => <ServerPage serverId={decodeId(serverId)} />}</Route>
            <Route path="/metrics">
              <MetricList />
            </Route>
            <Route path="/metrics/:metricId">{({ metricId }) => <MetricPage metricId={decodeId(metricId)} />}</Route>
            <Route path="/compare">
              <ComparePage />
            </Route>
            <Route path="/ingest">
              <IngestPage />
            </Route>
            <Route>
              <h1>No such page</h1>
              <p>
                <Link href="/">The fleet</Link>
              </p>
            </Route>
          </Switch>
        </PageBoundary>
      </main>
      {helpOpen && <Help onClose={() => setHelpOpen(false)} />}
    </>
  )
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
