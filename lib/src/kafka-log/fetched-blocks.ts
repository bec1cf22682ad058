/**
 * Records of one partition that are fetched and not yet read, in the blocks they came in, counted in the budget of the process.
 * Memory goes block by block: the records of one share it.
 */
import type { FetchBudget } from './fetch-budget.ts'
import type { StoredRecord } from './record-batch.ts'

/** Memory of a record beside its bytes, roughly. */
const recordOverheadBytes = 200

interface Block {
  readonly records: readonly StoredRecord[]
  readonly bytes: number
  at: number
}

export class FetchedBlocks {
  readonly #budget: FetchBudget
  readonly #blocks: Block[] = []
  #bytes = 0

  constructor(budget: FetchBudget) {
    this.#budget = budget
  }

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0
  }

  get first(): StoredRecord | undefined {
    const [block] = this.#blocks
    return block?.records[block.at]
  }

  hold(records: readonly StoredRecord[]): void {
    if (records.length === 0) return
    const bytes = records.reduce((sum, { value }) => sum + value.length + recordOverheadBytes, 0)
    this.#blocks.push({ records, bytes, at: 0 })
    this.#count(bytes)
  }

  /** The first one is read. */
  shift(): void {
    const [block] = this.#blocks
    if (block === undefined || ++block.at < block.records.length) return
    this.#blocks.shift()
    this.#count(-block.bytes)
  }

  drop(): void {
    this.#blocks.length = 0
    this.#count(-this.#bytes)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#budget.heldBytes += bytes
  }
}
