/**
 * Settings from the environment. A service declares its settings as a list (name, zod shape, default, description);
 * this file reads them and is the only one that touches process.env.
 *
 * Rules: every variable starts with MINUTELY_; one that no service of this process knows is an error that names the
 * nearest known one (a typo must not silently mean the default, nor one in the prefix or in its case); a blank one is
 * absent; NAME_FILE names a file that holds the value (secrets); a wrong value is an error that says what would be right.
 * All errors are reported at once; none repeats a secret or what a file holds.
 */

import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { editDistance } from './edit-distance.ts'

export interface Setting<T> {
  /** Environment variable without the MINUTELY_ prefix, e.g. `LATENESS_MS`. */
  readonly name: string
  readonly shape: z.ZodType<T, string>
  /** As a user would write it. */
  readonly default: string
  readonly unit?: string
  readonly description: string
  readonly secret?: boolean
}

export type Settings = Readonly<Record<string, Setting<unknown>>>
export type ConfigOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never }

/** What is wrong with the settings, one line each; for the person who started the process. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n  - ${problems.join('\n  - ')}`,
    )
  }
}

export const prefix = 'MINUTELY_'
/** Read by test and start scripts rather than by services. */
const reservedPrefixes = ['MINUTELY_TEST_', 'MINUTELY_SCREENSHOT_']
/** Of a wrong value, in its message. */
const shownLengthMax = 100

/** A whole number within bounds, written in decimal. */
export function integer({ min, max }: { min: number; max: number }): z.ZodType<number, string> {
  const fits = (value: number): boolean => Number.isSafeInteger(value) && value >= min && value <= max
  return z
    .string()
    .refine(
      (written) => /^-?\d+$/.test(written) && fits(Number(written)),
      `must be a whole number from ${min} to ${max}`,
    )
    .transform((written) => Number(written) + 0) // -0 becomes 0
}

export const onOff: z.ZodType<boolean, string> = z
  .enum(['on', 'off'], 'must be on or off')
  .transform((word) => word === 'on')
export const text: z.ZodType<string, string> = z.string()
export function oneOf<const W extends readonly [string, ...string[]]>(words: W): z.ZodType<W[number], string> {
  return z.enum(words, `must be one of ${words.join(', ')}`) as unknown as z.ZodType<W[number], string>
}

export interface SharedSettings {
  /** Of other processes of the same deployment: allowed here and not read, so that all can have one environment. */
  readonly shared?: readonly Settings[]
}

/**
 * The settings of one process: each key of `sections` becomes a config of that section's settings.
 * @throws ConfigError listing every problem.
 */
export function loadConfig<M extends Readonly<Record<string, Settings>>>(
  sections: M,
  env: Readonly<Record<string, string | undefined>> = process.env,
  { shared = [] }: SharedSettings = {},
): { readonly [K in keyof M]: ConfigOf<M[K]> } {
  const problems: string[] = []
  const known = new Set(shared.flatMap((section) => Object.values(section).map(({ name }) => prefix + name)))
  const config: Record<string, Record<string, unknown>> = {}
  for (const [sectionName, section] of Object.entries(sections)) {
    const values: Record<string, unknown> = {}
    for (const [key, setting] of Object.entries(section)) {
      known.add(prefix + setting.name)
      values[key] = readSetting(setting, env, problems)
    }
    config[sectionName] = values
  }
  problems.push(...unknownVariables(env, known))
  if (problems.length > 0) throw new ConfigError(problems)
  return config as { readonly [K in keyof M]: ConfigOf<M[K]> }
}

/** loadConfig for a main.ts: what is wrong goes to standard error, without a stack, and the process ends with 2. */
export function loadConfigOrExit<M extends Readonly<Record<string, Settings>>>(
  sections: M,
  shared: SharedSettings = {},
): { readonly [K in keyof M]: ConfigOf<M[K]> } {
  try {
    return loadConfig(sections, process.env, shared)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    return process.exit(2)
  }
}

/** For a main.ts that takes no arguments: one that is given is an error, like a misspelt variable, and not ignored. */
export function refuseArguments(given: readonly string[] = process.argv.slice(2)): void {
  if (given.length === 0) return
  process.stderr.write(
    `${given.join(' ')}: there are no arguments; settings are environment variables, e.g. ${prefix}LOG_LEVEL=info\n`,
  )
  process.exit(2)
}

function readSetting(
  setting: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): unknown {
  const name = prefix + setting.name
  let written = env[name]?.trim() ?? ''
  const file = env[`${name}_FILE`]?.trim() ?? ''
  if (written !== '' && file !== '') {
    problems.push(`${name} and ${name}_FILE are both set; keep one`)
    return undefined
  }
  if (file !== '') {
    try {
      written = readFileSync(file, 'utf8').trim()
    } catch (error) {
      problems.push(`${name}_FILE: cannot read ${file}: ${(error as Error).message}`)
      return undefined
    }
    if (written === '') {
      problems.push(`${name}_FILE: ${file} is empty`)
      return undefined
    }
  }
  const result = setting.shape.safeParse(written === '' ? setting.default : written)
  if (result.success) return result.data
  // A wrong path may lead to any file.
  const isHidden = setting.secret === true || file !== ''
  const shown = isHidden ? '(hidden)' : JSON.stringify(written.slice(0, shownLengthMax))
  const reasons = result.error.issues.map((issue) => issue.message).join('; ')
  const fallback =
    setting.default === '' ? '' : ` (default ${setting.default}${setting.unit ? ` ${setting.unit}` : ''})`
  problems.push(`${name}=${shown}: ${reasons}${fallback}`)
  return undefined
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>, known: ReadonlySet<string>): string[] {
  const problems: string[] = []
  for (const name of Object.keys(env).sort()) {
    if (known.has(name) || known.has(withoutFile(name)) || !isMeantForUs(name, known)) continue
    const nearest = nearestName(name, known)
    problems.push(`${name} is not a setting of this process${nearest ? `; did you mean ${nearest}?` : ''}`)
  }
  return problems
}

/** Starts with the prefix, in any case; or is one of our names but for a slip in the prefix. */
function isMeantForUs(name: string, known: ReadonlySet<string>): boolean {
  const upper = name.toUpperCase()
  if (upper.startsWith(prefix)) return !reservedPrefixes.some((reserved) => name.startsWith(reserved))
  const end = upper.indexOf('_') + 1
  return known.has(prefix + withoutFile(upper.slice(end))) && editDistance(upper.slice(0, end), prefix) <= editsMin
}

/** The known name within a third of the letters behind the prefix in edits, if any; two letters may always be wrong. */
function nearestName(name: string, known: ReadonlySet<string>): string | undefined {
  const upper = name.toUpperCase()
  const suffix = upper.slice(upper.indexOf('_') + 1)
  const stem = withoutFile(suffix)
  let best: string | undefined
  let bestDistance = Math.max(editsMin, Math.floor(stem.length / 3))
  for (const candidate of known) {
    const meant = candidate.slice(prefix.length)
    // A last word that is missing, mostly the unit, is one edit.
    const distance = Math.min(editDistance(stem, meant), 1 + editDistance(stem, meant.replace(/_[^_]*$/, '')))
    if (distance <= bestDistance) {
      best = stem === suffix ? candidate : `${candidate}_FILE`
      bestDistance = distance - 1
    }
  }
  return best
}

/** Two letters that changed places. */
const editsMin = 2

function withoutFile(name: string): string {
  return name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : name
}

/** A Markdown table of the settings, for the READMEs (scripts/docs.mjs writes it, tidy.test.ts checks it). */
export function settingsTable(settings: Settings): string {
  const rows = Object.values(settings).map((setting) => {
    const fallback = setting.default === '' ? 'none' : `\`${setting.default}\`${setting.unit ? ` ${setting.unit}` : ''}`
    return `| \`${prefix}${setting.name}\` | ${cell(fallback)} | ${cell(setting.description)} |`
  })
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n')
}

/** A bar would end the cell, within a code span too. */
function cell(content: string): string {
  return content.replaceAll('|', '\\|')
}
