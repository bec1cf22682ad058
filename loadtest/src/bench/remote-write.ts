/**
 * A host's batch as Prometheus' remote write 1.0: the same samples as ours, one request a host and 15 s, Snappy's block format.
 *
 *   WriteRequest { repeated TimeSeries timeseries = 1 }
 *   TimeSeries   { repeated Label labels = 1, repeated Sample samples = 2 }
 *   Label        { string name = 1, string value = 2 }        sorted by name
 *   Sample       { double value = 1, int64 timestamp = 2 }    ms since the epoch
 *
 * Metric and label names have dots here and underscores there.
 */
import protobuf from 'protobufjs/minimal.js'
import snappy from 'snappyjs'
import { batchSeconds, type GeneratedFleet } from '../generated-fleet.ts'

const lengthDelimited = 2
const tag = (field: number, wireType: number): number => (field << 3) | wireType

export const remoteWriteHeaders = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
}

export class RemoteWriteBodies {
  readonly #fleet: GeneratedFleet
  readonly #metricLabels: readonly (readonly (readonly [string, string])[])[]

  constructor(fleet: GeneratedFleet) {
    this.#fleet = fleet
    this.#metricLabels = fleet.series.map(({ metricId, labels }) => [
      ['__name__', underscored(metricId)],
      ...Object.entries(labels).map(([name, value]) => [underscored(name), value] as const),
    ])
  }

  /** `startMs`: a whole second. */
  body(host: number, startMs: number): Buffer {
    const fleet = this.#fleet
    const serverId = fleet.serverId(host)
    const writer = protobuf.Writer.create()
    for (const [metric, metricLabels] of this.#metricLabels.entries()) {
      writer.uint32(tag(1, lengthDelimited)).fork()
      for (const [name, value] of [...metricLabels, ['server_id', serverId] as const].sort(byName)) {
        writer.uint32(tag(1, lengthDelimited)).fork()
        writer.uint32(tag(1, lengthDelimited)).string(name).uint32(tag(2, lengthDelimited)).string(value).ldelim()
      }
      for (let slot = 0; slot < batchSeconds; slot++) {
        const atMs = startMs + slot * 1_000
        writer.uint32(tag(2, lengthDelimited)).fork()
        writer.uint32(tag(1, 1)).double(fleet.value(host, metric, atMs / 1_000))
        writer.uint32(tag(2, 0)).int64(atMs).ldelim()
      }
      writer.ldelim()
    }
    return Buffer.from(snappy.compress(writer.finish()))
  }
}

function underscored(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, '_')
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}
