/** A record of Kafka as the log's reader gets it: unframed, or as it was stored with the reason why it cannot be read. */
import type { LogRecord } from '../sample-log/sample-log.ts'
import { damagedBatchReason, type StoredRecord } from './record-batch.ts'
import { type RecordFraming, UnreadableRecordError } from './record-framing.ts'

/** Without waiting whenever its schema is known. @throws SchemaUnavailableError */
export function logRecordOf(
  { offset: position, value, headers, damage }: StoredRecord,
  appendedAtMs: number,
  { framing }: { framing: RecordFraming },
): LogRecord | Promise<LogRecord> {
  const place = { position, appendedAtMs }
  const unreadable = (reason: string, detail: string): LogRecord => {
    return { ...place, payload: value, unreadable: { reason, detail }, headers }
  }
  if (damage !== undefined) return unreadable(damagedBatchReason, `a record batch of ${value.length} bytes: ${damage}`)
  const failed = (error: unknown): LogRecord => {
    if (!(error instanceof UnreadableRecordError)) throw error
    return unreadable(error.reason, error.message)
  }
  try {
    const payload = framing.unframe({ value, headers })
    if (!(payload instanceof Promise)) return { ...place, payload }
    return payload.then((bytes) => ({ ...place, payload: bytes }), failed)
  } catch (error) {
    return failed(error)
  }
}
