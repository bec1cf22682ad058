/**
 * Slots: small integers for the series of one partition, so that the matrix needs no strings. Pure.
 *
 * An agent sends the same series list every 15 s, byte for byte, so a list is recognised by one memcmp and its slots
 * are reused; strings are decoded only when a list is new. Per server the last listsPerServerMax lists are kept.
 * A slot that no minute has used for idleMs is freed and its number used again.
 */
import assert from 'node:assert/strict'
import { minuteMs } from '@minutely/schema/limits'
import { decodeSeriesList } from '@minutely/schema/sample-codec'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import { checkOwner, checkSeries } from './section-check.ts'

export interface ServerSlots {
  readonly tenantId: string
  readonly serverId: string
  /** Series key -> slot. */
  readonly slotByKey: Map<string, number>
  /** Newest first. */
  lists: KnownList[]
}

interface KnownList {
  readonly bytes: Buffer
  readonly slots: Int32Array
}

export interface SlotEntry {
  readonly server: ServerSlots
  readonly series: SeriesRef
  /** Row of the dictionary in Postgres; set when it is first stored. */
  seriesId: number | undefined
  /** 32 bits of its identity; set with seriesId. */
  tag: number
  /** Newest minute that had a sample, ms since the epoch. */
  lastMinuteMs: number
}

const listsPerServerMax = 4
const idleMs = 2 * 60 * minuteMs

export class SeriesSlots {
  readonly #servers = new Map<string, ServerSlots>()
  readonly #entries: (SlotEntry | undefined)[] = []
  readonly #free: number[] = []
  #added: SlotEntry[] = []

  /** One more than the largest slot there is. */
  get capacity(): number {
    return this.#entries.length
  }

  get activeCount(): number {
    return this.#entries.length - this.#free.length
  }

  /** Entries made since the last call: their series may be new to the store. */
  takeAdded(): SlotEntry[] {
    const added = this.#added
    this.#added = []
    return added
  }

  entry(slot: number): SlotEntry {
    const entry = this.#entries[slot]
    assert(entry !== undefined, `BUG: slot ${slot} is free`)
    return entry
  }

  server(tenantId: string, serverId: string): ServerSlots | undefined {
    return this.#servers.get(serverKey(tenantId, serverId))
  }

  /**
   * The slots of a section's series, in the order of its rows.
   * @throws CodecError when the list is unreadable, or a name in it cannot be stored; then nothing was added.
   */
  slotsOf(section: { tenantId: string; serverId: string; series: Uint8Array; startMs: number }): Int32Array {
    // First of all: with a control character in a name, another owner's key could be the same.
    checkOwner(section)
    const key = serverKey(section.tenantId, section.serverId)
    let server = this.#servers.get(key)
    if (server !== undefined) {
      for (const list of server.lists) if (list.bytes.equals(section.series)) return list.slots
    }
    const series = decodeSeriesList(section.series)
    checkSeries(series)
    // A server without a series would never be swept.
    if (series.length === 0) return new Int32Array(0)
    if (server === undefined) {
      server = { tenantId: section.tenantId, serverId: section.serverId, slotByKey: new Map(), lists: [] }
      this.#servers.set(key, server)
    }
    const slots = new Int32Array(series.length)
    const startMs = Math.floor(section.startMs / minuteMs) * minuteMs
    for (const [row, ref] of series.entries()) slots[row] = this.#slot(server, ref, startMs)
    server.lists = [{ bytes: Buffer.from(section.series), slots }, ...server.lists.slice(0, listsPerServerMax - 1)]
    return slots
  }

  /** Frees what has been idle; `inUse` says whether an open minute has a row for the slot. */
  sweep(nowMs: number, inUse: (slot: number) => boolean): void {
    for (const [slot, entry] of this.#entries.entries()) {
      if (entry === undefined || entry.lastMinuteMs > nowMs - idleMs || inUse(slot)) continue
      const { server } = entry
      server.slotByKey.delete(seriesKey(entry.series))
      server.lists = []
      if (server.slotByKey.size === 0) this.#servers.delete(serverKey(server.tenantId, server.serverId))
      this.#entries[slot] = undefined
      this.#free.push(slot)
    }
  }

  #slot(server: ServerSlots, series: SeriesRef, startMs: number): number {
    const key = seriesKey(series)
    const known = server.slotByKey.get(key)
    if (known !== undefined) return known
    const slot = this.#free.pop() ?? this.#entries.length
    const entry = { server, series, seriesId: undefined, tag: 0, lastMinuteMs: startMs }
    this.#entries[slot] = entry
    this.#added.push(entry)
    server.slotByKey.set(key, slot)
    return slot
  }
}

const serverKey = (tenantId: string, serverId: string): string => `${tenantId}\u0001${serverId}`
