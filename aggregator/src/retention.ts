/**
 * How long minutes and hours are kept, by metric. A list of patterns, the first that matches wins; the rest has a retention of its own.
 * Written `debug.*=6h,system.*=7d/3650d`: a glob, how long its minutes are kept and, behind a slash, its hours. Hours are never kept
 * for less than minutes are.
 */
import { matchesGlob } from '@minutely/lib/metric-glob'
import { metricIdLengthMax, metricIdPattern } from '@minutely/schema/limits'
import { z } from 'zod'

export interface RetentionRule {
  readonly pattern: string
  readonly minuteHours: number
  /** Undefined: as long as of the rest. */
  readonly hourHours: number | undefined
}

export interface Kept {
  readonly pattern: string
  readonly minuteHours: number
  readonly hourHours: number
}

export interface RetentionConfig {
  readonly retentionHours: number
  readonly hourRetentionDays: number
  readonly retentionByMetric: readonly RetentionRule[]
}

/** Matches every name; the pattern of what no other one matches. */
export const restPattern = '*'
const hoursPerDay = 24
/** Each has partitions of its own, in both tiers. */
const rulesMax = 16
const hoursMax = 3_660 * hoursPerDay
const unitHours: Readonly<Record<string, number>> = { h: 1, d: hoursPerDay, w: 7 * hoursPerDay }

export class Retention {
  /** The rest comes last. */
  readonly all: readonly Kept[]
  /** No minute is kept longer. */
  readonly minuteHoursMax: number

  constructor({ retentionHours, hourRetentionDays, retentionByMetric }: RetentionConfig) {
    const rest = { pattern: restPattern, minuteHours: retentionHours, hourHours: undefined }
    this.all = [...retentionByMetric, rest].map(({ pattern, minuteHours, hourHours }) => {
      return { pattern, minuteHours, hourHours: Math.max(minuteHours, hourHours ?? hourRetentionDays * hoursPerDay) }
    })
    this.minuteHoursMax = Math.max(...this.all.map(({ minuteHours }) => minuteHours))
  }

  /** Of a metric. */
  patternOf(metricId: string): string {
    return this.all.find(({ pattern }) => matchesGlob(pattern, metricId))?.pattern ?? restPattern
  }

  /** A pattern that is not there any more is kept as the rest is. */
  keptOf(pattern: string): Kept {
    const kept = this.all.find((one) => one.pattern === pattern) ?? this.all.at(-1)
    if (kept === undefined) throw new Error('BUG: a retention without a rest')
    return kept
  }
}

/** For the setting. */
export const retentionRules: z.ZodType<readonly RetentionRule[], string> = z.string().transform((written, context) => {
  const parts = written.split(',').map((part) => part.trim())
  const rules: RetentionRule[] = []
  const refuse = (message: string): void => void context.addIssue({ code: 'custom', message })
  if (written.trim() === '') return rules
  for (const part of parts) {
    const rule = readRule(part)
    if (typeof rule === 'string') refuse(`"${part}" ${rule}`)
    else if (rules.some(({ pattern }) => pattern === rule.pattern)) refuse(`"${part}" repeats a pattern`)
    else rules.push(rule)
  }
  if (parts.length > rulesMax) refuse(`has ${parts.length} patterns, at most ${rulesMax} are taken`)
  return rules
})

/** @returns what is wrong with it, in words. */
function readRule(part: string): RetentionRule | string {
  const [, pattern = '', minutes = '', hours] = /^([^=]*)=([^/=]*)(?:\/([^/=]*))?$/.exec(part) ?? []
  if (pattern === '') return 'is no pattern=duration, like debug.*=6h or system.*=7d/400d'
  // A glob is well-formed when putting a letter in place of each star makes a metric name.
  if (pattern.length > metricIdLengthMax || !metricIdPattern.test(pattern.replaceAll('*', 'a'))) {
    return `has a pattern that no metric matches; names match ${metricIdPattern.source}, * may stand in them`
  }
  if (pattern === restPattern)
    return 'matches everything: set MINUTELY_RETENTION_HOURS and MINUTELY_HOUR_RETENTION_DAYS instead'
  const minuteHours = readHours(minutes)
  const hourHours = hours === undefined ? undefined : readHours(hours)
  if (minuteHours === null || hourHours === null) {
    const duration = minuteHours === null ? minutes : hours
    return `has the duration "${duration}", it must be from 1h to ${hoursMax / hoursPerDay}d (units h, d, w)`
  }
  if (hourHours !== undefined && hourHours < minuteHours) return 'keeps hours for less than minutes'
  return { pattern, minuteHours, hourHours }
}

function readHours(text: string): number | null {
  const [, amount, unit = ''] = /^(\d{1,6})([hdw])$/.exec(text.trim()) ?? []
  const hours = Number(amount) * (unitHours[unit] ?? Number.NaN)
  return hours >= 1 && hours <= hoursMax ? hours : null
}
