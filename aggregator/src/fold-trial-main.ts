/**
 * The process that fold-trial.ts starts: folds what it is sent as consume.ts would, says `survived`, and forgets it. It says `ready`
 * once it has folded a sound record, so that what is wrong with the process itself is not blamed on a record. Signals that ask to end
 * are its parent's business; it ends with it.
 */
import type { LogRecord } from '@minutely/lib/sample-log/sample-log'
import { minuteMs } from '@minutely/schema/limits'
import { encodeSampleRecord, encodeSeriesList } from '@minutely/schema/sample-codec'
import { Registry } from 'prom-client'
import { foldRecord } from './fold-record.ts'
import { createAggregatorMetrics } from './metrics.ts'
import { MinuteWindows } from './minute-window.ts'
import { SeriesSlots } from './series-slots.ts'

const metrics = createAggregatorMetrics(new Registry())
/** Far above what a batch holds: nothing is stored here. */
const bounds = { openMinutesMax: 100_000, lateMinutesMax: 100_000, lateHoldMs: 0, bytesMax: 268_435_456 }

function fold(records: readonly LogRecord[]): void {
  const slots = new SeriesSlots()
  const windows = new MinuteWindows(bounds, 0)
  for (const record of records) {
    const payload = Buffer.from(record.payload)
    foldRecord({ ...record, payload }, { slots, windows, trustedMs: record.appendedAtMs }, { metrics })
    if (windows.overflowing) windows.giveAll()
  }
}

function soundRecord(): LogRecord {
  const owner = { tenantId: 'default', serverId: 'sound' }
  const series = encodeSeriesList([{ metricId: 'sound', labels: {} }])
  const values = Buffer.from(Float64Array.of(1).buffer)
  const section = { ...owner, startMs: minuteMs, stepMs: 1_000, slotCount: 1, series, values }
  return {
    position: 0,
    appendedAtMs: minuteMs,
    payload: encodeSampleRecord({ receivedAtMs: minuteMs, sections: [section] }),
  }
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('disconnect', () => process.exit())
process.on('message', (records: readonly LogRecord[]) => {
  fold(records)
  process.send?.('survived')
})
fold([soundRecord()])
process.send?.('ready')
