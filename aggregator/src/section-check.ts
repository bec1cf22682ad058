/**
 * What a section must be before it is folded; pure. The collector writes no others, so one that fails is damage below
 * us. It is refused as unreadable, because behind this point it would do harm: a negative step never ends, a short
 * matrix shows the values of the section before, and a name or a time that Postgres cannot hold stops the partition,
 * as the flush that carries it fails for ever.
 */
import { controlCharacterPattern, metricIdLengthMax, secondMs, serverIdLengthMax } from '@minutely/schema/limits'
import { CodecError, type SampleSection } from '@minutely/schema/sample-codec'
import type { SeriesRef } from '@minutely/schema/series-identity'

const cellBytes = 8
/** Partitions are named by a year of four digits. */
const instantMsMax = Date.UTC(9999, 11, 31)

/** @throws CodecError unless the grid lies on whole seconds and the matrix has a row for each series. */
export function checkGrid(section: SampleSection, seriesCount: number): void {
  const { startMs, stepMs, slotCount, values } = section
  const wholeSeconds = startMs % secondMs === 0 && stepMs % secondMs === 0
  if (!wholeSeconds || stepMs <= 0 || slotCount < 0) {
    throw new CodecError(`a grid of ${slotCount} slots of ${stepMs} ms from ${startMs} is not one of whole seconds`)
  }
  if (startMs < 0 || startMs + slotCount * stepMs > instantMsMax) {
    throw new CodecError(`a grid of ${slotCount} slots of ${stepMs} ms from ${startMs} is not between 1970 and 9999`)
  }
  // Its slots would hold nothing, and there may be two thousand million of them.
  if (seriesCount === 0 && slotCount > 0) throw new CodecError(`a grid of ${slotCount} slots has no series`)
  const bytes = seriesCount * slotCount * cellBytes
  if (values.byteLength !== bytes) {
    throw new CodecError(
      `${seriesCount} series of ${slotCount} slots take ${bytes} bytes, the matrix has ${values.byteLength}`,
    )
  }
}

/** @throws CodecError when the names of the owner cannot be stored, or would be mistaken for another's. */
export function checkOwner({ tenantId, serverId }: { tenantId: string; serverId: string }): void {
  checkName(tenantId, serverIdLengthMax)
  checkName(serverId, serverIdLengthMax)
}

/** @throws CodecError when a name of a series cannot be stored, or would be mistaken for another's. */
export function checkSeries(series: readonly SeriesRef[]): void {
  for (const { metricId, labels } of series) {
    checkName(metricId, metricIdLengthMax)
    for (const [name, value] of Object.entries(labels)) {
      if (controlCharacterPattern.test(name) || controlCharacterPattern.test(value)) {
        throw new CodecError(`a label of ${JSON.stringify(metricId)} has a control character`)
      }
    }
  }
}

function checkName(name: string, lengthMax: number): void {
  if (name.length <= lengthMax && !controlCharacterPattern.test(name)) return
  throw new CodecError(`${JSON.stringify(name.slice(0, lengthMax))} is longer than a name may be, or no name`)
}
