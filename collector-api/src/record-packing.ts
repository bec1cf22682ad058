/**
 * Sections of one partition -> records of the log, each at most about recordBytesMax encoded. Sections keep their order;
 * one that is larger than a record by itself is cut, by rows while a row fits, else by slots.
 */
import {
  decodeSeriesList,
  encodeSampleRecord,
  encodeSeriesList,
  type SampleSection,
} from '@minutely/schema/sample-codec'

/** Lengths, times and counts of a section in Avro: at most 10 + 5 + 5 + 4 x 5 bytes, and some room. */
const sectionFrameBytes = 50
const recordFrameBytes = 50
const float64Bytes = 8
const slotsPerCutMin = 1

export function sectionBytes({ tenantId, serverId, series, values }: SampleSection): number {
  return sectionFrameBytes + tenantId.length + serverId.length + series.length + values.length
}

/** Encoded SampleRecords, in order. */
export function packRecords(
  sections: readonly SampleSection[],
  { receivedAtMs, recordBytesMax }: { receivedAtMs: number; recordBytesMax: number },
): Buffer[] {
  const records: Buffer[] = []
  let gathered: SampleSection[] = []
  let bytes = recordFrameBytes
  for (const whole of sections) {
    for (const section of cutSection(whole, recordBytesMax - recordFrameBytes)) {
      if (gathered.length > 0 && bytes + sectionBytes(section) > recordBytesMax) {
        records.push(encodeSampleRecord({ receivedAtMs, sections: gathered }))
        gathered = []
        bytes = recordFrameBytes
      }
      gathered.push(section)
      bytes += sectionBytes(section)
    }
  }
  if (gathered.length > 0) records.push(encodeSampleRecord({ receivedAtMs, sections: gathered }))
  return records
}

/** The section itself when it is small enough. */
function cutSection(section: SampleSection, bytesMax: number): SampleSection[] {
  if (sectionBytes(section) <= bytesMax) return [section]
  const rows = decodeSeriesList(section.series).map((series) => encodeSeriesList([series]).length)
  const fixedBytes = sectionFrameBytes + section.tenantId.length + section.serverId.length
  const widestList = rows.reduce((widest, bytes) => Math.max(widest, bytes), 0)
  const slotsMax = Math.max(slotsPerCutMin, Math.floor((bytesMax - fixedBytes - widestList) / float64Bytes))
  const cuts: SampleSection[] = []
  for (let slot = 0; slot < section.slotCount; slot += slotsMax) {
    const slots = { from: slot, to: Math.min(section.slotCount, slot + slotsMax) }
    const rowValuesBytes = (slots.to - slots.from) * float64Bytes
    let from = 0
    let bytes = fixedBytes
    for (const [row, listBytes] of rows.entries()) {
      if (row > from && bytes + listBytes + rowValuesBytes > bytesMax) {
        cuts.push(cut(section, { from, to: row }, slots))
        from = row
        bytes = fixedBytes
      }
      bytes += listBytes + rowValuesBytes
    }
    cuts.push(cut(section, { from, to: rows.length }, slots))
  }
  return cuts
}

interface Range {
  readonly from: number
  readonly to: number
}

function cut(section: SampleSection, rows: Range, slots: Range): SampleSection {
  const slotCount = slots.to - slots.from
  const values = Buffer.allocUnsafe((rows.to - rows.from) * slotCount * float64Bytes)
  for (let row = rows.from; row < rows.to; row++) {
    const start = (row * section.slotCount + slots.from) * float64Bytes
    const source = section.values.subarray(start, start + slotCount * float64Bytes)
    values.set(source, (row - rows.from) * slotCount * float64Bytes)
  }
  const series = encodeSeriesList(decodeSeriesList(section.series).slice(rows.from, rows.to))
  return { ...section, startMs: section.startMs + slots.from * section.stepMs, slotCount, series, values }
}
