/** What a chaos run needs of what it breaks: the distributed form (distributed-world.ts) or the embedded one. */
import type { ServiceProcess } from '../fleet/service-process.ts'
import type { TcpGate } from '../fleet/tcp-gate.ts'
import type { Keeper } from './keeper.ts'
import type { Sealings } from './sealed-hours.ts'
import type { EvidenceOf } from './store-evidence.ts'

/** A collector and the gate through which agents reach it. */
export interface Door {
  readonly process: ServiceProcess
  readonly gate: TcpGate
}

export interface ChaosPart {
  readonly name: string
  readonly isUp: boolean
}

export interface ChaosWorld {
  readonly keeper: Keeper
  readonly doors: readonly Door[]
  readonly collectorUrls: () => readonly string[]
  readonly queryUrls: () => readonly string[]
  /** For how many hours before some hosts send late data. */
  readonly hoursBack: number
  /** What there is, for the table. */
  parts(): readonly ChaosPart[]
  /** What is stored of a minute that a reader was told something wrong about. */
  evidence?(minute: EvidenceOf): Promise<readonly string[]>
  /** What was sealed and dropped so far. */
  sealings(): Promise<Sealings>
  /** Until everything is ready. */
  start(): Promise<void>
  /** Makes a start that goes on end soon, with an error. @returns what that has to wait for. */
  abandonStart(): readonly string[]
  /** After the faults: until everything is ready again. */
  recover(): Promise<void>
  /** Everything, also after a failed start. @returns a line for each process that did not stop as it should. */
  stop(): Promise<readonly string[]>
}
