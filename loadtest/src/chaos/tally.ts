/** What was done to a fleet, counted: faults by kind, and what they were made of (kills, pauses, restarts, ...). */
export const deeds = [
  'kills',
  'stops',
  'pauses',
  'restarts',
  'failedStarts',
  'lostAnswers',
  'cutRequests',
  'outages',
  'flushes',
  'rewinds',
  'strangeHosts',
] as const
export type Deed = (typeof deeds)[number]

export class Tally {
  readonly #faults = new Map<string, number>()
  readonly #deeds = new Map<Deed, number>()

  /** A fault of this kind has done what it is there for. */
  fault(kind: string): void {
    this.#faults.set(kind, this.faultsOf(kind) + 1)
  }

  add(deed: Deed, count = 1): void {
    this.#deeds.set(deed, this.of(deed) + count)
  }

  of(deed: Deed): number {
    return this.#deeds.get(deed) ?? 0
  }

  faultsOf(kind: string): number {
    return this.#faults.get(kind) ?? 0
  }

  get faults(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  get faultCount(): number {
    return [...this.#faults.values()].reduce((sum, one) => sum + one, 0)
  }
}
