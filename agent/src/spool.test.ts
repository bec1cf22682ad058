/**
 * The spool with the queue above it, on simulated files: killed at every operation, on a disk that fails or is full, at its
 * cap. A value is a hash of its second and series, so that a sample that arrives shows whether it was ever read.
 *
 *   MINUTELY_TEST_SEED=... repeats a run.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeSeriesList } from '@minutely/schema/sample-codec'
import pino from 'pino'
import { Registry } from 'prom-client'
import { SampleBatcher } from './batch.ts'
import { BatchQueue, type QueuedBatch } from './batch-queue.ts'
import { cellMs } from './flush-grid.ts'
import { createSpoolMetrics, type DropReason } from './metrics.ts'
import {
  createSimulatedSpoolFiles,
  SimulatedCrash,
  type SimulatedSpoolFiles,
  seededRandom,
} from './simulated-spool-files.ts'
import { Spool } from './spool.ts'

const startMs = 1_764_028_800_000
const anySeries = Array.from({ length: 4 }, (_, index) => ({ metricId: `metric.m${index}`, labels: {} }))
const requestBounds = { batchesMax: 30, seriesMax: 4000, bytesMax: 1_000_000 }
const defaults = { spoolBytesMax: 1 << 28, spoolAgeMsMax: 86_400_000, queueBytesMax: 1 << 24, queueAgeMaxMs: 3_600_000 }
type Bounds = typeof defaults

const expectedValue = (metricId: string, secondMs: number): number =>
  (secondMs / 1000) * 10 + metricId.length + Number(metricId.at(-1))

/** An agent process on some files, and the next one after it. */
class Process {
  readonly files: SimulatedSpoolFiles
  readonly bounds: Bounds
  serverId = 'web-17'
  nowMs = startMs - 1000
  /** `serverId metricId second`. */
  readonly delivered = new Map<string, number>()
  readonly dropped = new Map<DropReason, number>()
  readonly requests: number[][] = []
  readonly logged: string[] = []
  readonly log = pino({ level: 'info' }, { write: (line: string) => void this.logged.push(line) })
  /** Those that were on disk when the next line ran. */
  readonly safe = new Set<string>()
  samplesRead = 0
  spool!: Spool
  queue!: BatchQueue
  batcher!: SampleBatcher
  recovered = 0
  metrics = createSpoolMetrics(new Registry(), { spool: () => ({ bytes: 0, batches: 0, isWritable: true }) })

  constructor(files: SimulatedSpoolFiles, bounds: Partial<Bounds> = {}) {
    this.files = files
    this.bounds = { ...defaults, ...bounds }
    this.start()
  }

  start(): void {
    const monotonicMs = () => this.nowMs - startMs
    const { files, log, metrics, serverId } = this
    this.batcher = new SampleBatcher()
    this.queue = new BatchQueue(this.bounds, {
      monotonicMs,
      onDrop: ({ sampleCount }, reason) => this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + sampleCount),
    })
    this.spool = new Spool({ ...this.bounds, serverId }, { files, log, metrics, monotonicMs, nowMs: () => this.nowMs })
    this.recovered = this.queue.attach(this.spool, { nowMs: () => this.nowMs })
  }

  /** Until it gets through: a start may be killed too. */
  restart(): void {
    try {
      this.start()
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error
      this.restart()
    }
  }

  read(seriesCount = anySeries.length): void {
    this.nowMs += 1000
    const samples = anySeries
      .slice(0, seriesCount)
      .map((series) => ({ series, value: expectedValue(series.metricId, this.nowMs) }))
    this.samplesRead += samples.length
    this.batcher.add(this.nowMs, samples)
    this.spool.journal(this.nowMs, samples)
    if (this.spool.trouble !== null) return
    for (const { series } of samples) this.safe.add(`${this.serverId} ${series.metricId} ${this.nowMs}`)
  }

  flush(nowMs = this.nowMs): void {
    for (const batch of this.batcher.takeEnded(nowMs)) this.queue.keep(batch)
  }

  /** A second; a flush and a request now and then. The collector is down every other 400 s. */
  step(random: () => number): void {
    const isUp = ((this.nowMs - startMs) / 400_000) % 2 < 1
    this.read(1 + Math.floor(random() * anySeries.length))
    if (random() < 0.2) this.flush()
    if (random() < 0.3) this.request({ isAnswered: isUp && random() < 0.5, batchesMax: 1 + Math.floor(random() * 5) })
  }

  /** Steps until the process is killed in the n-th operation from now. */
  runUntilKilled(operations: number, random: () => number): void {
    this.files.crashIn(operations)
    assert.throws(() => {
      for (;;) this.step(random)
    }, SimulatedCrash)
  }

  /** Seconds, and batches as they end. */
  readFor(durationMs: number): void {
    for (const untilMs = this.nowMs + durationMs; this.nowMs < untilMs; ) {
      this.read()
      if ((this.nowMs + 1000) % cellMs === 0) this.flush(this.nowMs + 1000)
    }
  }

  /** @returns how many batches went. */
  request({ isAnswered = true, batchesMax = requestBounds.batchesMax } = {}): number {
    const batches = this.queue.lease({ ...requestBounds, batchesMax })
    if (isAnswered) this.receive(batches)
    if (isAnswered) this.queue.forget(batches)
    else this.queue.release(batches)
    return batches.length
  }

  drain(): void {
    while (this.request() > 0);
  }

  /** All that is left, as a collector that is up again gets it. */
  settle(): void {
    for (const batch of this.batcher.takeAll()) this.queue.keep(batch)
    this.drain()
  }

  receive(batches: readonly QueuedBatch[]): void {
    if (batches.length > 0) this.requests.push(batches.map(({ block }) => block.startMs))
    for (const { block, serverId = this.serverId } of batches) {
      const matrix = Buffer.from(block.values)
      for (const [row, { metricId }] of decodeSeriesList(block.series).entries()) {
        for (let slot = 0; slot < block.slotCount; slot += 1) {
          const value = matrix.readDoubleLE((row * block.slotCount + slot) * 8)
          const secondMs = block.startMs + slot * 1000
          if (Number.isNaN(value)) continue
          assert.equal(value, expectedValue(metricId, secondMs), 'a value that was never read')
          this.delivered.set(`${serverId} ${metricId} ${secondMs}`, value)
        }
      }
    }
  }

  get firstSegment(): string {
    const names = this.files.list().map(({ name }) => name)
    return names.filter((name) => name.endsWith('.segment')).sort()[0] ?? assert.fail('there is no segment')
  }

  get droppedCount(): number {
    return [...this.dropped.values()].reduce((sum, count) => sum + count, 0)
  }
}

const create = (bounds: Partial<Bounds> = {}, seed = 1): Process =>
  new Process(createSimulatedSpoolFiles(seededRandom(seed)), bounds)

const seeds = process.env['MINUTELY_TEST_SEED'] ? [Number(process.env['MINUTELY_TEST_SEED'])] : undefined

function forSeeds(count: number, run: (seed: number) => void): void {
  for (const seed of seeds ?? Array.from({ length: count }, (_, index) => index + 1)) {
    try {
      run(seed)
    } catch (error) {
      throw new Error(`MINUTELY_TEST_SEED=${seed} repeats this: ${(error as Error).message}`, { cause: error })
    }
  }
}

describe('a spool whose process is killed', () => {
  it('loses the second that was being written and nothing else, over 3,000 crashes in any operation', () => {
    forSeeds(150, (seed) => {
      const random = seededRandom(seed * 7919)
      const agent = create({}, seed)
      for (let round = 0; round < 20; round += 1) {
        agent.runUntilKilled(1 + Math.floor(random() * 15), random)
        // The start may be killed as well.
        agent.files.crashIn(random() < 0.5 ? 1 + Math.floor(random() * 20) : Number.POSITIVE_INFINITY)
        agent.restart()
      }
      agent.files.crashIn(Number.POSITIVE_INFINITY)
      agent.restart()
      agent.settle()
      for (const sample of agent.safe) assert.ok(agent.delivered.has(sample), `${sample} was lost`)
      assert.equal(agent.droppedCount, 0)
      agent.restart()
      assert.equal(agent.request(), 0, 'what was acknowledged is sent again without need')
    })
  })

  it('on a disk that fails, at its cap: makes nothing up, ends nowhere, stays within its bound', () => {
    const spoolBytesMax = 6000
    let evicted = 0
    forSeeds(40, (seed) => {
      const random = seededRandom(seed * 104_729)
      const agent = create({ spoolBytesMax, queueBytesMax: 20_000 }, seed)
      for (let round = 0; round < 10; round += 1) {
        agent.files.failing = random() < 0.5 ? random() * 0.3 : 0
        agent.runUntilKilled(1 + Math.floor(random() * 150), random)
        assert.ok(agent.files.bytes <= spoolBytesMax, `${agent.files.bytes} bytes`)
        agent.files.failing = 0
        agent.files.crashIn(Number.POSITIVE_INFINITY)
        agent.restart()
      }
      agent.settle()
      assert.equal(agent.queue.load.batches, 0)
      evicted += agent.dropped.get('spool-bytes') ?? 0
      assert.equal(agent.dropped.get('spool-lost'), undefined)
    })
    if (seeds === undefined) assert.ok(evicted > 0)
  })

  it('without a crash, on any disk: every sample is delivered or dropped with a reason, and counted once', () => {
    const reasons = new Set<DropReason>()
    forSeeds(50, (seed) => {
      const random = seededRandom(seed * 15_485_863)
      const agent = create(
        { spoolBytesMax: 3000, queueBytesMax: 5000, queueAgeMaxMs: 600_000, spoolAgeMsMax: 900_000 },
        seed,
      )
      for (let turn = 0; turn < 600; turn += 1) {
        if (random() < 0.02) agent.files.failing = random() < 0.5 ? random() : 0
        if (random() < 0.01) agent.files.capacityBytes = random() < 0.5 ? agent.files.bytes + 500 : 1e9
        if (random() < 0.01) agent.nowMs += 300_000
        agent.step(random)
        assert.ok(agent.files.bytes <= 3000, `${agent.files.bytes} bytes`)
      }
      agent.files.failing = 0
      agent.settle()
      assert.equal(agent.delivered.size + agent.droppedCount, agent.samplesRead)
      assert.equal(agent.dropped.get('spool-lost'), undefined)
      for (const reason of agent.dropped.keys()) reasons.add(reason)
    })
    if (seeds === undefined)
      assert.deepEqual([...reasons].sort(), ['queue-age', 'queue-bytes', 'spool-age', 'spool-bytes'])
  })
})

describe('a spool', () => {
  it('is read again from disk, a segment at a time, into no memory but the list of what is there', () => {
    // Segments of 128 KiB.
    const agent = create({ spoolBytesMax: 1 << 20 })
    agent.readFor(6 * 240 * cellMs)
    assert.ok(agent.files.bytes > 2.5 * 131_072)
    agent.restart()
    assert.equal(agent.recovered, 6 * 240 * 15 * anySeries.length)
    assert.equal(agent.queue.load.bytes, 0)
    assert.ok(agent.files.readBytesMax < 132_000, `${agent.files.readBytesMax} bytes in one read`)
    agent.drain()
    assert.equal(agent.delivered.size, agent.samplesRead)
    assert.ok(agent.queue.load.bytes === 0 && agent.files.bytes < 150_000)
  })

  it('leaves nothing but what is acknowledged, and less than two segments of that', () => {
    const agent = create({ spoolBytesMax: 80_000 })
    for (let cell = 0; cell < 500; cell += 1) {
      agent.readFor(cellMs)
      agent.drain()
      assert.ok(agent.files.bytes < 25_000, `${agent.files.bytes} bytes`)
    }
    agent.restart()
    assert.equal(agent.recovered, 0)
    assert.equal(agent.files.bytes, 0)
    assert.equal(agent.droppedCount, 0)
  })

  it('at its cap drops the oldest, counts them, and keeps the newest', () => {
    const agent = create({ spoolBytesMax: 40_000 })
    agent.readFor(400 * cellMs)
    assert.ok(agent.files.bytes <= 40_000 && agent.files.bytes > 30_000)
    const lost = agent.dropped.get('spool-bytes') ?? 0
    assert.ok(lost > 0)
    assert.deepEqual([...agent.dropped.keys()], ['spool-bytes'])
    agent.restart()
    agent.drain()
    assert.equal(agent.delivered.size, agent.samplesRead - lost)
    const seconds = [...agent.delivered.keys()].map((key) => Number(key.split(' ')[2]))
    assert.equal(Math.min(...seconds), agent.nowMs - (agent.delivered.size / anySeries.length - 1) * 1000)
  })

  it('drops what waited longer than its bound, also while no process was there', () => {
    const agent = create({ spoolAgeMsMax: 3_600_000 })
    agent.readFor(4 * cellMs)
    agent.nowMs += 3_600_001
    agent.restart()
    assert.equal(agent.dropped.get('spool-age'), undefined, 'the clock may be wrong at a start')
    agent.nowMs += 600_000
    agent.queue.lease(requestBounds)
    assert.equal(agent.dropped.get('spool-age'), 4 * 15 * anySeries.length)
    assert.equal(agent.request(), 0)
  })

  it('goes on in memory while the disk is full, says so once, and writes what it missed when there is room', () => {
    const agent = create()
    agent.readFor(10 * cellMs)
    agent.files.capacityBytes = agent.files.bytes + 100
    agent.readFor(30 * cellMs)
    assert.match(agent.spool.trouble ?? '', /cannot be written: ENOSPC/)
    assert.equal(agent.logged.filter((line) => line.includes('ENOSPC')).length, 1)
    agent.request({ batchesMax: 1 })
    assert.deepEqual(agent.requests, [[agent.nowMs + 1000 - cellMs]])
    agent.files.capacityBytes = 1e9
    agent.readFor(12 * cellMs)
    assert.equal(agent.spool.trouble, null)
    assert.equal(agent.logged.filter((line) => line.includes('can be written again')).length, 1)
    agent.restart()
    agent.drain()
    assert.equal(agent.delivered.size, agent.samplesRead)
    assert.equal(agent.droppedCount, 0)
  })

  it('never sends a damaged batch, and loses none of its neighbours', () => {
    const agent = create()
    agent.readFor(10 * cellMs)
    agent.files.damage(agent.firstSegment, 500)
    agent.restart()
    agent.drain()
    assert.equal(agent.delivered.size, agent.samplesRead - 15 * anySeries.length)
  })

  it('counts a batch that the disk has lost since it was found', () => {
    const agent = create()
    agent.readFor(3 * cellMs)
    agent.restart()
    agent.files.damage(agent.firstSegment, 100)
    agent.drain()
    assert.deepEqual([...agent.dropped], [['spool-lost', 15 * anySeries.length]])
    assert.equal(agent.delivered.size, agent.samplesRead - 15 * anySeries.length)
  })

  it('sends what an earlier run left behind what is new, and what a host waited with under its old name under that', () => {
    const agent = create()
    agent.readFor(5 * cellMs)
    agent.serverId = 'web-18'
    agent.restart()
    assert.equal(agent.queue.newestSequence, 0)
    agent.readFor(2 * cellMs)
    agent.drain()
    const starts = Array.from({ length: 7 }, (_, index) => startMs + index * cellMs)
    assert.deepEqual(agent.requests, [starts.slice(5).reverse(), starts.slice(0, 5).reverse()])
    assert.equal(
      [...agent.delivered.keys()].filter((key) => key.startsWith('web-17')).length,
      5 * 15 * anySeries.length,
    )
  })
})
