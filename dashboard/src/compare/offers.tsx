/** Before there is anything to compare: what one could begin with. */
import { useQuery } from '@tanstack/react-query'
import { readMetrics, readServers } from '../api.ts'
import { globOffers, writeList } from './compare-view.ts'

interface OffersProps {
  readonly serverIds: readonly string[]
  readonly globs: readonly string[]
  readonly setParams: (change: (params: URLSearchParams) => void) => void
}

const serversOffered = 8
const staleMs = 60_000

export function Offers({ serverIds, globs, setParams }: OffersProps) {
  const [first] = serverIds
  return (
    <div className="offers">
      {first === undefined ? (
        <ServerOffers onChoose={(serverId) => setParams((into) => writeList(into, 'server', [serverId]))} />
      ) : (
        <MetricOffers
          serverId={first}
          onChoose={(glob) => setParams((into) => writeList(into, 'metric', [...globs, glob]))}
        />
      )}
    </div>
  )
}

function ServerOffers({ onChoose }: { onChoose: (serverId: string) => void }) {
  const { data } = useQuery({
    queryKey: ['servers-offered', ''],
    queryFn: ({ signal }) => readServers({ query: '', limit: 50, cursor: null }, signal),
    staleTime: staleMs,
  })
  return (
    <>
      <p>Choose two or more servers; each keeps its colour in every chart.</p>
      <p className="offer-list">
        {data?.servers.slice(0, serversOffered).map(({ serverId }) => (
          <button key={serverId} type="button" className="offer" onClick={() => onChoose(serverId)}>
            {serverId}
          </button>
        ))}
      </p>
    </>
  )
}

function MetricOffers({ serverId, onChoose }: { serverId: string; onChoose: (glob: string) => void }) {
  const { data } = useQuery({
    queryKey: ['metric-offers', serverId],
    queryFn: async ({ signal }) => {
      const { metrics } = await readMetrics(serverId, signal)
      return globOffers([...new Set(metrics.map(({ metricId }) => metricId))])
    },
    staleTime: staleMs,
    retry: false,
  })
  return (
    <>
      <p>Choose metrics, by name or as a glob. {serverId} sends:</p>
      <p className="offer-list">
        {data?.map(({ glob, count }) => (
          <button key={glob} type="button" className="offer" onClick={() => onChoose(glob)}>
            {glob} <span className="dim">{count}</span>
          </button>
        ))}
      </p>
    </>
  )
}
