/**
 * What requests brought for one partition -> records of the log, each at most about recordBytesMax encoded, in order. A section
 * that is larger than a record by itself is cut, by rows while a row fits, else by slots.
 *
 * A batch that was accepted as it was sent goes into a bundle as it came, compressed, where the log takes bundles: encoding and
 * compressing it again took more time than all judging. What lies between such batches becomes items of the same bundle.
 */
import type { LogAppend, LogPartition } from '@minutely/lib/sample-log/sample-log'
import {
  type BundledEncoding,
  type BundledItem,
  bundledBytes,
  encodeSampleBundle,
  sectionsItem,
} from '@minutely/schema/log-payload'
import {
  decodeSeriesList,
  encodeSampleRecord,
  encodeSeriesList,
  type SampleSection,
} from '@minutely/schema/sample-codec'
import { partitionKey, type RoutedSection } from './series-routing.ts'

/** Lengths, times and counts of a section in Avro: at most 10 + 5 + 5 + 4 x 5 bytes, and some room. */
const sectionFrameBytes = 50
const recordFrameBytes = 50
const float64Bytes = 8
const slotsPerCutMin = 1

/** A body of Avro, as it came. */
export interface SentBody {
  readonly bytes: Buffer
  readonly encoding: BundledEncoding
  /** Length once decompressed. */
  readonly plainBytes: number
}

/** What a body says, and the body. */
export interface SentBatch {
  readonly item: BundledItem
  readonly sections: readonly SampleSection[]
}

export type Gathered = SampleSection | SentBatch

export type Packed = Omit<LogAppend, keyof LogPartition>

interface PackedRecord extends Packed {
  readonly sections: readonly SampleSection[]
}

/** Undefined when it has to go by its sections: they have several partitions, or it is larger than a record. */
export function asSentBatch(
  routed: readonly RoutedSection[],
  { bytes, encoding, plainBytes }: SentBody,
  recordBytesMax: number,
): { partition: LogPartition; gathered: SentBatch } | undefined {
  const [first] = routed
  if (first?.routing.kind !== 'one') return undefined
  const { partition } = first.routing
  const key = partitionKey(partition)
  for (const { routing } of routed) {
    if (routing.kind !== 'one' || partitionKey(routing.partition) !== key) return undefined
  }
  const item: BundledItem = { tenantId: first.section.tenantId, holds: 'batch', encoding, plainBytes, bytes }
  if (recordFrameBytes + bundledBytes(item) > recordBytesMax) return undefined
  return { partition, gathered: { item, sections: routed.map(({ section }) => section) } }
}

/** In memory. */
export function gatheredBytes(gathered: Gathered): number {
  if (!('item' in gathered)) return sectionBytes(gathered)
  return gathered.sections.reduce((sum, section) => sum + sectionBytes(section), gathered.item.bytes.length)
}

/** In a record, about. */
export function payloadBytes(gathered: Gathered): number {
  return 'item' in gathered ? bundledBytes(gathered.item) : sectionBytes(gathered)
}

export function packPartition(
  gathered: readonly Gathered[],
  bounds: { receivedAtMs: number; recordBytesMax: number },
): Packed[] {
  const bundler = new Bundler(bounds)
  let run: SampleSection[] = []
  const endRun = (): void => {
    for (const { payload, sections } of packRecords(run, {
      ...bounds,
      recordBytesMax: bounds.recordBytesMax - bundledMin,
    }))
      bundler.add(sectionsItem(payload), sections)
    run = []
  }
  if (!gathered.some((one) => 'item' in one)) return packRecords(gathered as readonly SampleSection[], bounds)
  for (const one of gathered) {
    if (!('item' in one)) run.push(one)
    else {
      endRun()
      bundler.add(one.item, one.sections)
    }
  }
  endRun()
  return bundler.end()
}

/** Room that a bundle takes around a record in it. */
const bundledMin = 100

/** Items to bundles, in order. */
class Bundler {
  readonly #bounds: { receivedAtMs: number; recordBytesMax: number }
  readonly #packed: Packed[] = []
  #items: BundledItem[] = []
  #sections: SampleSection[] = []
  #bytes = recordFrameBytes

  constructor(bounds: { receivedAtMs: number; recordBytesMax: number }) {
    this.#bounds = bounds
  }

  add(item: BundledItem, sections: readonly SampleSection[]): void {
    if (this.#bytes + bundledBytes(item) > this.#bounds.recordBytesMax) this.end()
    this.#items.push(item)
    this.#sections.push(...sections)
    this.#bytes += bundledBytes(item)
  }

  end(): Packed[] {
    if (this.#items.length > 0) {
      const payload = encodeSampleBundle({ receivedAtMs: this.#bounds.receivedAtMs, items: this.#items })
      this.#packed.push({ payload, sections: this.#sections, isCompressed: true })
    }
    this.#items = []
    this.#sections = []
    this.#bytes = recordFrameBytes
    return this.#packed
  }
}

export function sectionBytes({ tenantId, serverId, series, values }: SampleSection): number {
  return sectionFrameBytes + tenantId.length + serverId.length + series.length + values.length
}

/** SampleRecords, in order. */
function packRecords(
  sections: readonly SampleSection[],
  { receivedAtMs, recordBytesMax }: { receivedAtMs: number; recordBytesMax: number },
): PackedRecord[] {
  const records: PackedRecord[] = []
  let gathered: SampleSection[] = []
  let bytes = recordFrameBytes
  for (const whole of sections) {
    for (const section of cutSection(whole, recordBytesMax - recordFrameBytes)) {
      if (gathered.length > 0 && bytes + sectionBytes(section) > recordBytesMax) {
        records.push({ payload: encodeSampleRecord({ receivedAtMs, sections: gathered }), sections: gathered })
        gathered = []
        bytes = recordFrameBytes
      }
      gathered.push(section)
      bytes += sectionBytes(section)
    }
  }
  if (gathered.length > 0) {
    records.push({ payload: encodeSampleRecord({ receivedAtMs, sections: gathered }), sections: gathered })
  }
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
