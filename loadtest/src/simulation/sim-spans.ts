/** Who may touch a span of minutes, and how long it is kept: aggregator/src/sealing/hour-locks.ts and retention, in the simulated database. */
import type { MinuteRows } from '@minutely/aggregator/minute-chunks'
import type { SimDatabase, SimTransaction } from './sim-database.ts'
import type { SimProcess } from './sim-process.ts'
import { blockPrefix, minutePrefix, numbersOf, type SealRow, sealKey, sealPrefix, spanLock } from './sim-tables.ts'
import { hotSpans, spanOf, spanOfKey } from './sim-tiers.ts'

/** Blocks are dropped by so many spans, as real ones are by the day. */
const spansPerDay = 3

/** @returns spans of which something may be sealed; they are dirty from now on. */
export async function shareSpans(
  transaction: SimTransaction,
  prepared: readonly { readonly rows: MinuteRows }[],
  { tiers, world }: SimDatabase,
): Promise<ReadonlySet<number>> {
  const spans = [...new Set(prepared.map(({ rows }) => spanOf(rows.minuteMs, tiers)))].sort((a, b) => a - b)
  if (!world.faults.sealing || spans.length === 0) return new Set()
  const sealed = await transaction.statement('share spans', async () => {
    for (const span of spans) await transaction.lock(spanLock(span), { isShared: true })
    return spans.filter((span) => transaction.get<SealRow>(sealKey(span)) !== undefined)
  })
  if (sealed.length > 0) {
    await transaction.statement('make spans dirty', async () => {
      for (const span of sealed) {
        if (transaction.get<SealRow>(sealKey(span))?.dirty === true) continue
        await transaction.lock(sealKey(span))
        // Retention may have dropped it.
        const row = transaction.get<SealRow>(sealKey(span))
        if (row !== undefined) transaction.put(sealKey(span), { ...row, dirty: true } satisfies SealRow)
      }
    })
  }
  return new Set(sealed)
}

/** Rows span by span, blocks by several spans, each a statement of its own. @returns names of what was dropped. */
export async function dropBefore(
  instantMs: number,
  { database, process }: { readonly database: SimDatabase; readonly process: SimProcess },
): Promise<string[]> {
  const { tiers, seals, world } = database
  const dropped: string[] = []
  const isOver = (span: number): boolean => (span + 1) * tiers.spanMs <= instantMs
  const drop = async (name: string, isIn: (key: string) => boolean, prefix: string): Promise<void> => {
    await database.single(process, 'drop', (transaction) => {
      for (const [key] of database.entries(prefix)) if (isIn(key)) transaction.put(key, undefined)
    })
    dropped.push(name)
    world.note(process.name, `dropped ${name}`)
  }
  const over = await database.single(process, 'list spans', () => hotSpans(database).filter(isOver))
  if (over.length > 0 || database.entries(blockPrefix).length > 0)
    seals.droppedBeforeMs = Math.max(seals.droppedBeforeMs, instantMs)
  for (const span of over) await drop(`span ${span}`, (key) => spanOfKey(key, tiers) === span, minutePrefix)
  const dayOf = (key: string): number => Math.floor((numbersOf(key, blockPrefix)[1] ?? 0) / spansPerDay)
  const days = await database.single(process, 'list days', () => [
    ...new Set(database.entries(blockPrefix).map(([key]) => dayOf(key))),
  ])
  for (const day of days.filter((each) => isOver((each + 1) * spansPerDay - 1)))
    await drop(`day ${day}`, (key) => dayOf(key) === day, blockPrefix)
  const firstKept = Math.floor(instantMs / (spansPerDay * tiers.spanMs)) * spansPerDay
  await database.single(process, 'forget seals', (transaction) => {
    for (const [key] of database.entries(sealPrefix))
      if ((numbersOf(key, sealPrefix)[0] ?? 0) < firstKept) transaction.put(key, undefined)
  })
  seals.dropped += dropped.length
  return dropped
}
