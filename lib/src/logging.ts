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
