/**
 * What every MinuteStore must do, as a suite its implementations' tests call. A failure names the promise of minute-store.ts
 * that was broken.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import { MinuteModel, type ModelTable, sectionOf } from './minute-model.ts'
import {
  type Flush,
  type MinuteStore,
  type ProgressVersion,
  type Stored,
  StoreMovedError,
  StoreRewoundError,
} from './minute-store.ts'
import { MinuteWindows } from './minute-window.ts'
import { SeriesSlots } from './series-slots.ts'

export interface MinuteStoreUnderTest {
  /** An empty one. */
  create(): Promise<MinuteStoreStorage>
}

export interface MinuteStoreStorage {
  /** As another process has it. */
  open(): MinuteStore
  table(): Promise<ModelTable>
  /** Remembers what is stored now; the function it returns sets the store back to it. */
  snapshot(): Promise<() => Promise<void>>
  /** Packs all there is, where a store packs what is old. */
  seal?(): Promise<void>
}

const baseMs = Date.UTC(2027, 0, 15, 9, 59)
const wide = { openMinutesMax: 1_000, lateMinutesMax: 1_000, bytesMax: 1 << 30, lateHoldMs: 0 }
const partition = { topic: 'samples', partition: 0 }
const cpu = { metricId: 'cpu', labels: {} }
const ramp = (length: number, from = 0): number[] => Array.from({ length }, (_, index) => (from + index) / 10)

/** An owner of the partition: knows what it wrote. */
class Owner {
  readonly store: MinuteStore
  readonly slots = new SeriesSlots()
  version: Flush['version']

  constructor(store: MinuteStore) {
    this.store = store
  }

  async resume(): Promise<this> {
    this.version = (await this.store.readProgress(partition)).version
    return this
  }

  async write(startMs: number, values: readonly number[], more: Partial<Flush> = {}): Promise<Stored> {
    const windows = new MinuteWindows(wide, 0)
    const section = sectionOf('web', { startMs, stepMs: 1_000 }, [{ series: cpu, values }])
    windows.fold(section, this.slots.slotsOf(section), { position: 0, trustedMs: 0 })
    const minutes = windows.closeUpTo(Number.MAX_SAFE_INTEGER, 0)
    const flush = { partition, minutes, resumeAt: 1, closedThroughMs: baseMs, version: this.version, ...more }
    const stored = await this.store.store(flush, { slots: this.slots })
    this.version = stored.version
    return stored
  }
}

function modelOf(...parts: { startMs: number; values: readonly number[] }[]): ModelTable {
  const model = new MinuteModel()
  for (const { startMs, values } of parts) model.add('web', { startMs, stepMs: 1_000 }, [{ series: cpu, values }])
  return model.table()
}

export function minuteStoreContract(name: string, subject: MinuteStoreUnderTest): void {
  test(`${name}: minutes and progress are stored together, and resumed from by another process`, async () => {
    const storage = await subject.create()
    const owner = new Owner(storage.open())
    assert.deepEqual(await owner.store.readProgress(partition), {
      position: undefined,
      completeThroughMs: 0,
      anchor: undefined,
      version: undefined,
      isBehind: false,
    })
    const anchor = { position: 9, appendedAtMs: baseMs + 1 }
    const { version, mergedRows } = await owner.write(baseMs, ramp(90), { resumeAt: 7, anchor })
    assert.equal(mergedRows, 0)
    const progress = { position: 7, completeThroughMs: baseMs, anchor, version, isBehind: false }
    assert.deepEqual(await storage.open().readProgress(partition), progress)
    assert.deepEqual(await storage.table(), modelOf({ startMs: baseMs, values: ramp(90) }))
  })

  test(`${name}: what comes again changes nothing, and what overlaps is added`, async () => {
    const storage = await subject.create()
    const owner = new Owner(storage.open())
    const parts = [
      { startMs: baseMs, values: ramp(20) },
      { startMs: baseMs, values: ramp(20) },
      { startMs: baseMs + 10_000, values: ramp(70, 100) },
      { startMs: baseMs + 5_000, values: ramp(10, 50) },
    ]
    for (const { startMs, values } of parts) await owner.write(startMs, values)
    assert.deepEqual(await storage.table(), modelOf(...parts))
  })

  test(`${name}: what comes for an hour that is packed, new or again, is in the union, packed again or not`, async () => {
    const storage = await subject.create()
    const parts = [
      { startMs: baseMs, values: ramp(20) },
      { startMs: baseMs + 10_000, values: ramp(70, 100) },
      { startMs: baseMs, values: ramp(20) },
      { startMs: baseMs + 5_000, values: ramp(10, 50) },
      { startMs: baseMs + 80_000, values: ramp(90, 1_000) },
    ]
    for (const [index, { startMs, values }] of parts.entries()) {
      // Another process each time: one that was told of an hour before it was packed may have to be told again.
      const owner = await new Owner(storage.open()).resume()
      const { mergedRows, rows } = await owner.write(startMs, values)
      if (storage.seal !== undefined && index > 0)
        assert.ok(mergedRows > 0 && mergedRows <= rows, 'the ring may be older')
      assert.deepEqual(await storage.table(), modelOf(...parts.slice(0, index + 1)))
      if (index === 3) continue
      await storage.seal?.()
      assert.deepEqual(await storage.table(), modelOf(...parts.slice(0, index + 1)))
    }
  })

  test(`${name}: neither position nor completeThrough goes back`, async () => {
    const storage = await subject.create()
    const owner = new Owner(storage.open())
    await owner.write(baseMs, [], { resumeAt: 50, closedThroughMs: baseMs + minuteMs })
    await owner.write(baseMs, [], { resumeAt: 20, closedThroughMs: baseMs })
    const { position, completeThroughMs } = await owner.store.readProgress(partition)
    assert.deepEqual([position, completeThroughMs], [50, baseMs + minuteMs])
  })

  test(`${name}: of two owners the one that did not write last starts again, and the union is stored`, async () => {
    const storage = await subject.create()
    const [one, other] = [new Owner(storage.open()), new Owner(storage.open())]
    const parts = [
      { startMs: baseMs, values: ramp(30) },
      { startMs: baseMs + 20_000, values: ramp(30, 200) },
    ] as const
    await one.write(parts[0].startMs, parts[0].values)
    await assert.rejects(other.write(parts[1].startMs, parts[1].values), StoreMovedError)
    await other.resume()
    await other.write(parts[1].startMs, parts[1].values)
    const again = one.write(baseMs, ramp(60))
    await assert.rejects(again, (error) => error instanceof StoreMovedError && !(error instanceof StoreRewoundError))
    assert.deepEqual(await storage.table(), modelOf(...parts))
  })

  test(`${name}: two that write at the same time take turns`, async () => {
    const storage = await subject.create()
    const owners = [new Owner(storage.open()), new Owner(storage.open())]
    const outcomes = await Promise.allSettled(owners.map((owner) => owner.write(baseMs, ramp(60))))
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    assert.ok(refused.length <= 1, `${refused.length} refused`)
    assert.deepEqual(await storage.table(), modelOf({ startMs: baseMs, values: ramp(60) }))
  })

  test(`${name}: a loss of commits is told at the next write, announcement and gap`, async () => {
    const storage = await subject.create()
    const owner = new Owner(storage.open())
    await owner.write(baseMs, ramp(10))
    const rewind = await storage.snapshot()
    const { version } = await owner.write(baseMs + minuteMs, ramp(10))
    await rewind()
    await assert.rejects(owner.write(baseMs + minuteMs, ramp(10), { version }), StoreRewoundError)
    await assert.rejects(owner.store.announce([], { partition, version }, owner), StoreRewoundError)
    const gap = { fromPosition: 1, toPosition: 2, reason: 'retention' } as const
    await assert.rejects(owner.store.recordGap(gap, { partition, version }), StoreRewoundError)
    await owner.resume()
    await owner.write(baseMs + minuteMs, ramp(10))
    const parts = [baseMs, baseMs + minuteMs].map((startMs) => ({ startMs, values: ramp(10) }))
    assert.deepEqual(await storage.table(), modelOf(...parts))
  })

  test(`${name}: owners are counted that were begun in a row and have not finished, whoever they are`, async () => {
    const storage = await subject.create()
    const [one, other] = [storage.open(), storage.open()]
    const elsewhere = { ...partition, partition: 1 }
    await one.finishRun(partition)
    assert.deepEqual([await one.beginRun(partition), await other.beginRun(partition)], [1, 2])
    assert.deepEqual([await one.beginRun(elsewhere), await other.beginRun(partition)], [1, 3])
    await other.finishRun(partition)
    await one.finishRun(partition)
    assert.deepEqual([await one.beginRun(partition), await other.beginRun(elsewhere)], [1, 2])
  })

  test(`${name}: a gap moves the version, and one of a log that began anew sets the position back`, async () => {
    const storage = await subject.create()
    const owner = new Owner(storage.open())
    const { version } = await owner.write(baseMs, [], { resumeAt: 50 })
    const retention = { fromPosition: 50, toPosition: 60, reason: 'retention' } as const
    const after = await owner.store.recordGap(retention, { partition, version })
    assert.notEqual(after, version)
    assert.equal((await owner.store.readProgress(partition)).position, 50)
    const rewound = { fromPosition: 60, toPosition: 0, reason: 'rewound' } as const
    const last = await owner.store.recordGap(rewound, { partition, version: after })
    assert.deepEqual(await owner.store.readProgress(partition), {
      position: 0,
      completeThroughMs: baseMs,
      anchor: undefined,
      version: last,
      isBehind: false,
    })
  })

  test(`${name}: whoever asks about a version that is not there any more is told so`, async () => {
    const storage = await subject.create()
    const owner = new Owner(storage.open())
    const behind = async (since: ProgressVersion): Promise<boolean> =>
      (await owner.store.readProgress(partition, since)).isBehind
    const toNothing = await storage.snapshot()
    const first = await owner.write(baseMs, ramp(10))
    const second = await owner.write(baseMs, ramp(20))
    assert.deepEqual(
      [await behind(undefined), await behind(first.version), await behind(second.version)],
      [false, false, false],
    )
    await toNothing()
    assert.deepEqual([await behind(undefined), await behind(first.version)], [false, true])
    await owner.resume()
    const third = await owner.write(baseMs, ramp(10))
    assert.equal(await behind(third.version), false)
  })

  test(`${name}: the anchor is that of the last record read, stays while nothing is, and goes with the log and with what is lost`, async () => {
    const storage = await subject.create()
    const owner = new Owner(storage.open())
    const anchors = [10, 20, 30, 40].map((position) => ({ position, appendedAtMs: baseMs + position }))
    const [begun, announced, written, other] = anchors
    const kept = async () => (await storage.open().readProgress(partition)).anchor
    const first = { position: 0, completeThroughMs: 0, anchor: begun }
    owner.version = await owner.store.beginProgress(partition, first)
    assert.deepEqual(await kept(), begun)
    owner.version = await owner.store.announce([], { partition, version: owner.version, anchor: announced }, owner)
    assert.deepEqual(await kept(), announced)
    await owner.write(baseMs, ramp(5), { anchor: written })
    await owner.write(baseMs, ramp(6))
    owner.version = await owner.store.announce([], { partition, version: owner.version }, owner)
    const retention = { fromPosition: 31, toPosition: 35, reason: 'retention' } as const
    owner.version = await owner.store.recordGap(retention, { partition, version: owner.version })
    assert.deepEqual(await kept(), written)

    const rewind = await storage.snapshot()
    const rewound = { fromPosition: 35, toPosition: 0, reason: 'rewound' } as const
    const { version } = owner
    owner.version = await owner.store.recordGap(rewound, { partition, version, anchor: written })
    assert.equal(await kept(), undefined)
    await owner.write(baseMs, ramp(7), { anchor: other })
    assert.deepEqual(await kept(), other)
    await rewind()
    assert.deepEqual(await kept(), written)
  })
}
