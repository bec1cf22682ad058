/** What was refused, by reason and by host, with what to do; refused requests; who reported; which partitions are behind. */
import type { IngestAnswer } from '@minutely/schema/ingest-wire'
import { Fragment, type ReactNode } from 'react'
import { Link } from 'wouter'
import { ago, dayAndClock } from '../instant-text.ts'
import { formatValue } from '../unit.ts'
import { countText, lagMsMax } from './ingest-figures.ts'
import { reasons, requestAdvice } from './reasons.ts'

interface PanelProps {
  readonly title: string
  readonly id: string
  readonly children: ReactNode
}

function Panel({ title, id, children }: PanelProps) {
  return (
    <section className="ingest-panel" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: on a phone it scrolls sideways, by keys, too */}
      <div className="ingest-scroll" tabIndex={0}>
        {children}
      </div>
    </section>
  )
}

export function ReasonTable({ rejected }: Pick<IngestAnswer, 'rejected'>) {
  return (
    <Panel title="Refused samples by reason" id="by-reason">
      {rejected.length === 0 ? (
        <p className="ingest-empty dim">Nothing was refused.</p>
      ) : (
        <table className="ingest-table" data-testid="ingest-reasons">
          <thead>
            <tr>
              <th scope="col">Reason</th>
              <th scope="col">What to do</th>
              <th scope="col" className="ingest-number">
                Samples
              </th>
            </tr>
          </thead>
          <tbody>
            {rejected.map(({ reason, total }) => (
              <tr key={reason} data-reason={reason}>
                <th scope="row">
                  {reasons[reason].what}
                  <code className="ingest-id dim">{reason}</code>
                </th>
                <td>{reasons[reason].toDo}</td>
                <td className="ingest-number">{countText(total)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}

export function HostTable({ hosts, nowMs }: Pick<IngestAnswer, 'hosts'> & { readonly nowMs: number }) {
  return (
    <Panel title="Refused samples by host" id="by-host">
      {hosts.length === 0 ? (
        <p className="ingest-empty dim">No host had a sample refused.</p>
      ) : (
        <table className="ingest-table" data-testid="ingest-hosts">
          <thead>
            <tr>
              <th scope="col">Host</th>
              <th scope="col">Reasons</th>
              <th scope="col" className="ingest-number">
                Last
              </th>
              <th scope="col" className="ingest-number">
                Samples
              </th>
            </tr>
          </thead>
          <tbody>
            {hosts.map(({ host, total, lastMs, reasons: of }) => (
              <tr key={host} data-host={host}>
                <th scope="row">
                  {isName(host) ? <Link href={`/servers/${encodeURIComponent(host)}`}>{host}</Link> : host}
                </th>
                <td>
                  {of.map(({ reason, total: count }, at) => (
                    <Fragment key={reason}>
                      {at > 0 && ', '}
                      <span title={reasons[reason].toDo}>{reason}</span> <span className="dim">{countText(count)}</span>
                    </Fragment>
                  ))}
                </td>
                <td className="ingest-number" title={dayAndClock(lastMs)}>
                  {ago(lastMs, nowMs)}
                </td>
                <td className="ingest-number">{countText(total)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}

/** `(other hosts)` and the like are none. */
const isName = (host: string): boolean => !host.startsWith('(')

export function RequestTable({ requests }: Pick<IngestAnswer, 'requests'>) {
  if (requests.length === 0) return null
  return (
    <Panel title="Requests refused as a whole" id="by-error">
      <table className="ingest-table" data-testid="ingest-requests">
        <thead>
          <tr>
            <th scope="col">Error</th>
            <th scope="col">What to do</th>
            <th scope="col" className="ingest-number">
              Requests
            </th>
          </tr>
        </thead>
        <tbody>
          {requests.map(({ error, total }) => (
            <tr key={error} data-error={error}>
              <th scope="row">
                {requestAdvice(error).what}
                <code className="ingest-id dim">{error}</code>
              </th>
              <td>{requestAdvice(error).toDo}</td>
              <td className="ingest-number">{countText(total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}

export function SourceTable({ sources, nowMs }: Pick<IngestAnswer, 'sources'> & { readonly nowMs: number }) {
  if (sources.length === 0) return null
  return (
    <Panel title="Collectors and aggregators" id="by-source">
      <table className="ingest-table" data-testid="ingest-sources">
        <thead>
          <tr>
            <th scope="col">Process</th>
            {['Accepted', 'Refused', 'Late', 'Two values', 'Requests refused', 'Last report'].map((name) => (
              <th key={name} scope="col" className="ingest-number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sources.map((one) => (
            <tr key={one.source}>
              <th scope="row">{one.source}</th>
              {[one.accepted, one.rejected, one.late, one.conflicting, one.requests].map((count, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the columns are what they are
                <td key={at} className="ingest-number">
                  {countText(count)}
                </td>
              ))}
              <td className="ingest-number">{ago(one.lastMs, nowMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}

/** Only those that are behind: there may be a thousand that are not. */
export function LagTable({ lag }: Pick<IngestAnswer, 'lag'>) {
  const behind = lag.partitions.filter(({ lagMs }) => lagMs > lagMsMax)
  if (behind.length === 0) return null
  return (
    <Panel title="Partitions that are behind" id="by-partition">
      <p className="ingest-empty">
        Their aggregator is slow, gone, or cannot write to Postgres: see its log, <code>/readyz</code> and{' '}
        <code>minutely_aggregator_store_failures_total</code>. Nothing is lost while the log keeps what was not read.
      </p>
      <table className="ingest-table" data-testid="ingest-lag">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col" className="ingest-number">
              Closed through
            </th>
            <th scope="col" className="ingest-number">
              Behind
            </th>
          </tr>
        </thead>
        <tbody>
          {behind.map(({ topic, partition, completeThroughMs, lagMs }) => (
            <tr key={`${topic} ${partition}`}>
              <th scope="row">
                {topic} <span className="dim">{partition}</span>
              </th>
              <td className="ingest-number">{dayAndClock(completeThroughMs)}</td>
              <td className="ingest-number">{formatValue(lagMs / 1000, 'seconds')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}
