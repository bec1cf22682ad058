/**
 * The last hour of a server's CPU and memory, read when its row is in view, a few rows at a time, again every minute. A
 * server that sends neither has no figures, and a list of only such servers no column for them.
 */
import { useQueries, useQuery } from '@tanstack/react-query'
import { readSeries } from '../api.ts'
import type { Gate } from '../gate.ts'
import { type Vitals, vitalMetricIds, vitalsOf } from '../host-vitals.ts'
import { windowOf } from '../time-range.ts'

const refreshMs = 60_000

export interface VitalsOptions {
  readonly gate: Gate
  readonly enabled: boolean
}

export interface VitalColumns {
  readonly hasCpu: boolean
  readonly hasMemory: boolean
}

export function useVitals(serverId: string, options: VitalsOptions) {
  return useQuery(vitalsQuery(serverId, options))
}

/** Which figures at least one of the servers has, of those that were read; both as long as none was. Reads nothing itself. */
export function useVitalColumns(serverIds: readonly string[], gate: Gate): VitalColumns {
  return useQueries({
    queries: serverIds.map((serverId) => vitalsQuery(serverId, { gate, enabled: false })),
    combine: (results) => columnsOf(results.map(({ data }) => data)),
  })
}

function columnsOf(vitals: readonly (Vitals | undefined)[]): VitalColumns {
  const known = vitals.filter((one) => one !== undefined)
  if (known.length === 0) return { hasCpu: true, hasMemory: true }
  return {
    hasCpu: known.some(({ cpuBusy }) => cpuBusy !== undefined),
    hasMemory: known.some(({ memoryUsed }) => memoryUsed !== undefined),
  }
}

function vitalsQuery(serverId: string, { gate, enabled }: VitalsOptions) {
  return {
    queryKey: ['vitals', serverId],
    queryFn: async ({ signal }: { signal: AbortSignal }) => {
      const window = windowOf({ kind: 'last', range: '1h' }, Date.now())
      return vitalsOf(await gate.run(() => readSeries({ serverId, metricIds: vitalMetricIds, window }, signal), signal))
    },
    enabled,
    staleTime: refreshMs,
    refetchInterval: refreshMs,
  }
}
