/**
 * Structured logs by pino: JSON lines, or readable ones on a terminal. Messages say what happened with numbers;
 * nothing is logged per sample or per request that went well.
 */
import pino from 'pino'
import pretty from 'pino-pretty'
import { type ConfigOf, oneOf, type Settings } from './config.ts'

export type Logger = pino.Logger

export const loggingSettings = {
  level: {
    name: 'LOG_LEVEL',
    shape: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    description: 'Least severe level that is logged',
  },
  format: {
    name: 'LOG_FORMAT',
    shape: oneOf(['auto', 'json', 'pretty']),
    default: 'auto',
    description: 'Log lines as `json`, `pretty`, or by whether standard output is a terminal',
  },
} satisfies Settings

export function createLogger(config: ConfigOf<typeof loggingSettings>): Logger {
  const readable = config.format === 'pretty' || (config.format === 'auto' && process.stdout.isTTY)
  const options: pino.LoggerOptions = {
    level: config.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }
  if (!readable) return pino(options, pino.destination({ fd: 1, sync: true }))
  return pino(
    options,
    pretty({ colorize: process.stdout.isTTY, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', sync: true }),
  )
}

/**
 * The outside world failed, and is tried again: one sentence for who reads the log, the stack at level debug. A defect of ours keeps
 * its stack.
 */
export function warnBriefly(log: Logger, error: unknown, said: { message: string; [field: string]: unknown }): void {
  const { message, ...fields } = said
  if (error instanceof Error && !defectNames.has(error.name)) {
    log.warn(fields, `${message}: ${error.message}`)
    log.debug({ err: error, ...fields }, message)
  } else log.warn({ err: error, ...fields }, message)
}

const defectNames: ReadonlySet<string> = new Set([
  'AssertionError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
])
