/** The last hour of a server's CPU and memory, read when its row is in view, a few rows at a time, again every minute. */
import { useQuery } from '@tanstack/react-query'
import { readSeries } from '../api.ts'
import type { Gate } from '../gate.ts'
import { vitalMetricIds, vitalsOf } from '../host-vitals.ts'
import { windowOf } from '../time-range.ts'

const refreshMs = 60_000

export function useVitals(serverId: string, { gate, enabled }: { gate: Gate; enabled: boolean }) {
  return useQuery({
    queryKey: ['vitals', serverId],
    queryFn: async ({ signal }) => {
      const window = windowOf({ kind: 'last', range: '1h' }, Date.now())
      return vitalsOf(await gate.run(() => readSeries({ serverId, metricIds: vitalMetricIds, window }, signal), signal))
    },
    enabled,
    staleTime: refreshMs,
    refetchInterval: refreshMs,
  })
}
