/**
 * The consumer group of a simulated log. A member that died, or stood still for longer than its session, loses its partitions;
 * it may not know of that, or hear of it late: then two processes take themselves for the owner at once.
 */
import type { LogPartition, PartitionHandler } from '@minutely/lib/sample-log/sample-log'
import { nameOf, type SimLogStorage } from './sim-log-storage.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

interface Member {
  readonly process: SimProcess
  readonly handler: PartitionHandler
  /** What it has been told to own. */
  readonly told: Map<string, LogPartition>
}

/** Short, so that a run of minutes sees many changes. */
const sessionMs = 10_000
const lookEveryMs = 2_000
const newsMsMax = 6_000

export class SimGroup {
  readonly #world: SimWorld
  readonly #storage: SimLogStorage
  readonly #members: Member[] = []
  readonly #owners = new Map<string, Member>()
  readonly #silentSinceMs = new Map<Member, number>()

  constructor(world: SimWorld, storage: SimLogStorage) {
    this.#world = world
    this.#storage = storage
    this.#look()
  }

  owns(process: SimProcess, partition: LogPartition): boolean {
    return this.#owners.get(nameOf(partition))?.process === process
  }

  join(process: SimProcess, handler: PartitionHandler): void {
    this.#members.push({ process, handler, told: new Map() })
    this.#world.note('group', `${process.name} joins`)
    this.rebalance()
  }

  leave(process: SimProcess): void {
    this.#remove(({ process: member }) => member === process, 'leaves')
  }

  /** Deals the partitions anew. */
  rebalance(): void {
    const members = [...this.#members]
    const { random } = this.#world
    const first = random.below(Math.max(1, members.length))
    let turn = 0
    for (const { topic, partition } of this.#storage.partitions.values()) {
      const member = members[(first + turn++) % members.length]
      this.#own({ topic, partition }, member)
    }
  }

  #own(partition: LogPartition, member: Member | undefined): void {
    const name = nameOf(partition)
    const before = this.#owners.get(name)
    if (before === member) return
    if (member === undefined) this.#owners.delete(name)
    else this.#owners.set(name, member)
    if (before !== undefined) this.#tell(before, partition)
    if (member !== undefined) this.#tell(member, partition)
  }

  /** News take their time; a member is told what is true when they arrive. */
  #tell(member: Member, partition: LogPartition): void {
    const { world } = { world: this.#world }
    const delayMs = world.chance(0.3) ? world.random.between(0, newsMsMax) : world.random.skewed(200)
    world.clock.schedule(delayMs, () =>
      member.process.receive(() => {
        const name = nameOf(partition)
        const owns = this.#owners.get(name) === member
        if (owns === member.told.has(name)) return
        world.note(member.process.name, `${owns ? 'is assigned' : 'is revoked'} ${name}`)
        if (owns) {
          member.told.set(name, partition)
          member.handler.assigned(partition)
        } else {
          member.told.delete(name)
          member.handler.revoked(partition)
        }
      }),
    )
  }

  /** Heartbeats. */
  #look(): void {
    const { nowMs, clock } = this.#world
    for (const member of this.#members) {
      const isSilent = member.process.isDead || member.process.isPaused
      if (!isSilent) this.#silentSinceMs.delete(member)
      else if (!this.#silentSinceMs.has(member)) this.#silentSinceMs.set(member, nowMs)
    }
    this.#remove((member) => nowMs - (this.#silentSinceMs.get(member) ?? nowMs) >= sessionMs, 'is missed')
    this.#rejoin()
    clock.schedule(lookEveryMs, () => this.#look())
  }

  readonly #expelled = new Set<Member>()

  #remove(isGone: (member: Member) => boolean, how: string): void {
    const gone = this.#members.filter(isGone)
    if (gone.length === 0) return
    for (const member of gone) {
      this.#members.splice(this.#members.indexOf(member), 1)
      this.#silentSinceMs.delete(member)
      if (how === 'is missed') this.#expelled.add(member)
      this.#world.note('group', `${member.process.name} ${how}`)
    }
    this.rebalance()
  }

  /** Who was only paused comes back. */
  #rejoin(): void {
    for (const member of [...this.#expelled]) {
      if (member.process.isPaused) continue
      this.#expelled.delete(member)
      if (member.process.isDead) continue
      this.#members.push(member)
      this.#world.note('group', `${member.process.name} is back`)
      this.rebalance()
    }
  }
}
