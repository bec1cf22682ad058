/** What createLogger writes to standard output, so each in a process of its own. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import pino from 'pino'
import { loadConfig } from './config.ts'
import { loggingSettings, warnBriefly } from './logging.ts'

function logged(config: { level: string; format: string }, statements: string): string {
  const program = `
    import { createLogger } from ${JSON.stringify(new URL('./logging.ts', import.meta.url).href)}
    const log = createLogger(${JSON.stringify(config)})
    ${statements}
    process.exit()
  `
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  assert.equal(run.stderr, '')
  return run.stdout
}

test('JSON lines: level as a word, time in UTC, fields, message; nothing of the host; all before the exit', () => {
  const output = logged({ level: 'info', format: 'json' }, `log.info({ rows: 3 }, 'stored'); log.debug('unheard')`)
  const { time, ...rest } = JSON.parse(output)
  assert.deepEqual(rest, { level: 'info', rows: 3, msg: 'stored' })
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('an error is logged with its stack and its cause', () => {
  const statement = `log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed')`
  const { err } = JSON.parse(logged({ level: 'info', format: 'json' }, statement))
  assert.match(err.message, /outer/)
  assert.match(err.stack, /Error: outer\n[\s\S]*caused by: Error: inner/)
})

test('auto is JSON where standard output is no terminal', () => {
  assert.equal(JSON.parse(logged({ level: 'warn', format: 'auto' }, `log.warn('w')`)).level, 'warn')
})

test('pretty is for people, without colours into a file, and written before the exit', () => {
  const output = logged({ level: 'info', format: 'pretty' }, `log.info({ rows: 3 }, 'stored')`)
  assert.match(output, /^\[\d\d:\d\d:\d\d\] INFO: stored\n {4}rows: 3\n$/)
})

test('silent says nothing', () => {
  assert.equal(logged({ level: 'silent', format: 'json' }, `log.fatal('unheard')`), '')
})

test('a wrong level is refused by the settings', () => {
  assert.throws(() => loadConfig({ logging: loggingSettings }, { MINUTELY_LOG_LEVEL: 'verbose' }), {
    message: /MINUTELY_LOG_LEVEL="verbose": must be one of trace, debug, info, warn, error, fatal, silent/,
  })
})

test('warnBriefly: what the outside world says is one sentence, a defect of ours keeps its stack', () => {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  warnBriefly(log, new Error('No space left on device'), { message: 'storing failed; trying again', attempt: 3 })
  warnBriefly(log, new TypeError('x is not a function'), { message: 'storing failed; trying again' })
  assert.deepEqual(
    lines.map(({ msg, attempt, err }) => [msg, attempt, (err as Error | undefined)?.stack !== undefined]),
    [
      ['storing failed; trying again: No space left on device', 3, false],
      ['storing failed; trying again', undefined, true],
    ],
  )
})
