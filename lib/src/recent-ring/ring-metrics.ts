/** What the ring reports: who pushes, who reads, and the repair. One instance per process. */
import { Counter, Gauge, type Registry } from 'prom-client'

export function createRingMetrics(registry: Registry) {
  const registers = [registry]
  return {
    pushes: new Counter({
      name: 'minutely_ring_pushes_total',
      help: 'Pushes to the ring by result: pushed, late (not within the write budget), or why they were dropped: disconnected, foreign (another Redis than the adopted one), breaker, full (queue), failed',
      labelNames: ['result'] as const,
      registers,
    }),
    rows: new Counter({
      name: 'minutely_ring_pushed_minutes_total',
      help: 'Minutes of series that Redis took, by source: live or repair',
      labelNames: ['source'] as const,
      registers,
    }),
    queueBytes: new Gauge({
      name: 'minutely_ring_queue_bytes',
      help: 'Bytes waiting to be pushed; bounded by MINUTELY_RING_QUEUE_BYTES_MAX',
      registers,
    }),
    reads: new Counter({
      name: 'minutely_ring_reads_total',
      help: 'Questions by what the ring had of them: covered (all but the last 15 minutes), partly, none, large (too many keys to try) or failed',
      labelNames: ['result'] as const,
      registers,
    }),
    breakerOpen: new Gauge({
      name: 'minutely_ring_breaker_open',
      help: '1 while the ring is left alone because Redis failed, otherwise 0',
      registers,
    }),
    repairs: new Counter({
      name: 'minutely_ring_repairs_total',
      help: 'Fillings of an empty ring, by result: done, failed or overtaken (the ring changed meanwhile)',
      labelNames: ['result'] as const,
      registers,
    }),
    repairHoursLeft: new Gauge({
      name: 'minutely_ring_repair_hours_left',
      help: 'Hours that a filling under way in this process has still to read; 0 when none is',
      registers,
    }),
  }
}

export type RingMetrics = ReturnType<typeof createRingMetrics>
