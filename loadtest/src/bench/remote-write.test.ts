import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import snappy from 'snappyjs'
import { GeneratedFleet } from '../generated-fleet.ts'
import { RemoteWriteBodies } from './remote-write.ts'

/** Prometheus' own, as far as we use it. */
const schema = `
syntax = "proto3";
message WriteRequest { repeated TimeSeries timeseries = 1; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }`

interface Decoded {
  readonly timeseries: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[]
    readonly samples: readonly { readonly value: number; readonly timestamp: number }[]
  }[]
}

test('a decoder finds every sample of the batch, with sorted labels', () => {
  const fleet = new GeneratedFleet({ hostCount: 2, metricCount: 9, seed: 1 })
  const startMs = 1_764_028_800_000
  const type = protobuf.parse(schema).root.lookupType('WriteRequest')
  const bytes = snappy.uncompress(new RemoteWriteBodies(fleet).body(1, startMs))
  const options = { longs: Number, defaults: true, arrays: true }
  const { timeseries } = type.toObject(type.decode(bytes), options) as Decoded
  assert.equal(timeseries.length, 9)
  for (const [metric, { labels, samples }] of timeseries.entries()) {
    const names = labels.map(({ name }) => name)
    assert.deepEqual(names, names.toSorted())
    const { metricId, labels: own } = fleet.series[metric] ?? { metricId: '', labels: {} }
    const found = Object.fromEntries(labels.map(({ name, value }) => [name, value]))
    assert.deepEqual(found, {
      __name__: metricId.replaceAll('.', '_'),
      server_id: 'host-00001',
      ...(own['service.name'] !== undefined && { service_name: own['service.name'] }),
    })
    const expected = Array.from({ length: 15 }, (_, slot) => ({
      value: fleet.value(1, metric, startMs / 1_000 + slot),
      timestamp: startMs + slot * 1_000,
    }))
    assert.deepEqual(samples, expected)
  }
})
