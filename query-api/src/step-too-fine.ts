/**
 * A range whose minutes are no longer kept, asked for in steps shorter than an hour: not an empty answer, which would say that there was
 * nothing, but which step has data. Looked for only when an answer has nothing in it at all.
 */
import { ApiError } from '@minutely/schema/error-catalogue'
import type { StepMatrix } from './step-matrix.ts'
import type { StoreSession } from './store-session.ts'
import { hourMs, isHourly } from './time-range.ts'

/** @throws ApiError step-too-fine */
export async function assertStepHasData(
  { range, count }: Pick<StepMatrix, 'range' | 'count'>,
  rows: readonly { readonly seriesId: number | undefined }[],
  session: StoreSession,
): Promise<void> {
  if (isHourly(range) || count.some((samples) => samples > 0)) return
  const seriesIds = rows.flatMap(({ seriesId }) => seriesId ?? [])
  const fromMs = Math.floor(range.startMs / hourMs) * hourMs
  const toMs = Math.ceil(range.endMs / hourMs) * hourMs
  let [firstMs, lastMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const add = (atMs: number): void => {
    firstMs = Math.min(firstMs, atMs)
    lastMs = Math.max(lastMs, atMs + hourMs)
  }
  const atTheEdge: { readonly seriesId: number; readonly atMs: number }[] = []
  await session.readHourTier({ seriesIds, fromMs, toMs, minutesFromMs: Number.POSITIVE_INFINITY }, (seriesId, atMs) => {
    if (atMs >= range.startMs && atMs + hourMs <= range.endMs) add(atMs)
    else atTheEdge.push({ seriesId, atMs })
  })
  if (atTheEdge.length > 0) {
    const kept = await readKept(session, seriesIds, [
      [fromMs, range.startMs],
      [range.endMs, toMs],
    ])
    for (const { seriesId, atMs } of atTheEdge) if (!kept.has(keyOf(seriesId, atMs))) add(atMs)
  }
  if (firstMs > lastMs) return
  const [first, last] = [firstMs, lastMs].map((ms) => new Date(ms).toISOString())
  throw new ApiError(
    'step-too-fine',
    `Minutes of this range are no longer kept, hours from ${first} to ${last} are: stepMs=${hourMs}, or a multiple of it, has data`,
    { details: { stepMs: range.stepMs, fittingStepMs: hourMs, hoursFromMs: firstMs, hoursToMs: lastMs } },
  )
}

/** Hours of which there are minutes beside the range: nothing of them is gone, there was nothing in the range. */
async function readKept(
  session: StoreSession,
  seriesIds: readonly number[],
  spans: readonly (readonly [fromMs: number, toMs: number])[],
): Promise<ReadonlySet<string>> {
  const kept = new Set<string>()
  for (const [fromMs, toMs] of spans) {
    if (fromMs >= toMs) continue
    await session.readMinutes({ seriesIds, fromMs, toMs }, (seriesId, atMs) => {
      kept.add(keyOf(seriesId, Math.floor(atMs / hourMs) * hourMs))
    })
  }
  return kept
}

const keyOf = (seriesId: number, hourAtMs: number): string => `${seriesId} ${hourAtMs}`
