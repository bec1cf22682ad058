/**
 * Hours that are sealed while things break. In real time no hour ends in a short run, so some hosts send late data of the last hours all the
 * time: an hour is sealed as soon as the first of it is there, and again whenever more has come. The oldest of those hours is
 * past the retention where collectors take it, so it is dropped whole and made anew.
 *
 * What was done is read from the logs of the processes, which outlive them.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** Of a run. */
export const retentionHours = 3

/** At their least; for whoever aggregates. */
export const sealingSettings: Readonly<Record<string, string>> = {
  MINUTELY_SEAL_AFTER_MINUTES: '1',
  MINUTELY_RESEAL_AFTER_MINUTES: '0',
  MINUTELY_SEAL_EVERY_MS: '500',
  MINUTELY_RETENTION_HOURS: String(retentionHours),
}

const lateEvery = 4

/** One host in so many sends late data of so many hours. */
export function hoursBackOf(host: number, hoursBack: number): number {
  return host % lateEvery === 1 ? hoursBack : 0
}

export interface Sealings {
  /** Hours that were sealed, and how often one was sealed again. */
  readonly sealed: number
  readonly resealed: number
  /** Hours and days dropped by retention. */
  readonly dropped: number
}

/** `logFiles`: of all processes that aggregate. */
export async function readSealings(logFiles: readonly string[]): Promise<Sealings> {
  const hours = new Set<string>()
  let [times, dropped] = [0, 0]
  for (const file of logFiles) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      // Of a process that was killed the last line may be half a line.
      const hourAt = /"hourAt":"([^"]+)".*"sealed an hour"/.exec(line)?.[1]
      if (hourAt !== undefined) {
        hours.add(hourAt)
        times++
      }
      const names = /"dropped":\[([^\]]+)\].*"dropped what is past the retention"/.exec(line)?.[1]
      dropped += names?.split(',').length ?? 0
    }
  }
  return { sealed: hours.size, resealed: times - hours.size, dropped }
}
