/**
 * What keeps a full disk from stopping the embedded database: part of the disk that samples may not take.
 *
 *   free:  ├──── samples are stored ────┤ reserveBytes ├── refused: minutes of what was read before, WAL ──┤ 0
 *                                                             + held-back (a quarter of it): for PostgreSQL's restart
 *
 * PostgreSQL ends when its log (WAL) finds no room, and needs some to start again. So free space is looked at every second; below
 * the reserve nothing new is taken, while reads go on and what was taken before is still folded. Others may fill the disk all
 * the same. For that a file of real bytes is held back in the data folder, and given up before PostgreSQL is started on a disk that is nearly full.
 *
 * Invariants: once refused, an eighth more than the reserve must be free before samples are taken again; the file is made only
 * when that much is free beside it. A disk that cannot be asked counts as one with room: a write will tell.
 */
import { randomBytes } from 'node:crypto'
import { open, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { Service } from '../lifecycle.ts'
import { type Logger, warnBriefly } from '../logging.ts'

const lookEveryMs = 1_000
const mebibyte = 1_048_576
const fileName = 'held-back'

export interface DiskReserveConfig {
  readonly dataDir: string
  /** Free bytes below which nothing new is taken. 0: nothing is looked at and nothing held back. */
  readonly reserveBytes: number
}

export interface DiskReserveDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}

export class DiskReserve implements Service {
  readonly name = 'disk-reserve'
  readonly #config: DiskReserveConfig
  readonly #deps: DiskReserveDeps
  readonly #file: string
  readonly #heldBackBytes: number
  readonly #freeGauge: Gauge
  readonly #stopping = new AbortController()
  #looking: Promise<void> = Promise.resolve()
  #problem: string | null = null

  constructor(config: DiskReserveConfig, deps: DiskReserveDeps) {
    this.#config = config
    this.#deps = deps
    this.#file = join(config.dataDir, fileName)
    this.#heldBackBytes = Math.floor(config.reserveBytes / 4)
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers: [deps.registry] })
    this.#freeGauge = gauge('minutely_disk_free_bytes', 'Free on the disk of the data folder, looked at every second')
    gauge('minutely_disk_reserve_bytes', 'Free bytes below which samples are refused').set(config.reserveBytes)
  }

  /** Null while there is room; else what is free, where, and what to do. */
  readonly problem = (): string | null => this.#problem

  async start(): Promise<void> {
    if (this.#config.reserveBytes === 0) return rm(this.#file, { force: true })
    await this.#look()
    this.#looking = this.#keepLooking()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#looking
  }

  /** Before a start of the database: gives up what is held back for it if the disk is nearly full. */
  readonly makeRoom = async (): Promise<void> => {
    if ((await this.#freeBytes()) < this.#config.reserveBytes) await rm(this.#file, { force: true })
  }

  /** Of the volume; below the reserve samples are refused. */
  readonly space = async (): Promise<{ freeBytes: number; reserveBytes: number }> => {
    return { freeBytes: await this.#freeBytes(), reserveBytes: this.#config.reserveBytes }
  }

  async #freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#config.dataDir)
    return bavail * bsize
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      await this.#deps.clock.sleep(lookEveryMs, signal)
      if (signal.aborted) return
      await this.#look()
    }
  }

  async #look(): Promise<void> {
    const { dataDir, reserveBytes } = this.#config
    try {
      const freeBytes = await this.#freeBytes()
      this.#freeGauge.set(freeBytes)
      const enoughBytes = reserveBytes + reserveBytes / 8
      this.#judge(freeBytes, enoughBytes)
      if (freeBytes >= enoughBytes + this.#heldBackBytes) await this.#holdBack()
    } catch (error) {
      warnBriefly(this.#deps.log, error, {
        message: 'cannot see to the reserve of the disk; it is tried again',
        dataDir,
      })
    }
  }

  #judge(freeBytes: number, enoughBytes: number): void {
    const { dataDir, reserveBytes } = this.#config
    const { log } = this.#deps
    const isFull = freeBytes < (this.#problem === null ? reserveBytes : enoughBytes)
    const inMebibytes = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`
    const message =
      `${inMebibytes(freeBytes)} are free on the disk of ${dataDir}, samples are refused below ${inMebibytes(reserveBytes)} ` +
      `(MINUTELY_DISK_RESERVE_BYTES) and then taken again from ${inMebibytes(enoughBytes)} on: make room`
    if (isFull && this.#problem === null) log.error(`the disk is nearly full: ${message}`)
    if (!isFull && this.#problem !== null)
      log.warn(`the disk has room again, ${inMebibytes(freeBytes)}: samples are taken`)
    this.#problem = isFull ? message : null
  }

  /** Random, since some file systems give zeros no room. A file that was cut short is made anew. */
  async #holdBack(): Promise<void> {
    const found = await stat(this.#file).catch(() => undefined)
    if (found?.size === this.#heldBackBytes) return
    const file = await open(this.#file, 'w', 0o600)
    try {
      const block = randomBytes(mebibyte)
      for (let leftBytes = this.#heldBackBytes; leftBytes > 0; leftBytes -= block.length)
        await file.write(block, 0, Math.min(block.length, leftBytes))
    } finally {
      await file.close()
    }
  }
}
