/** Settings: whatever a person may get wrong is said at once, in words they can act on, and no secret with it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ConfigError, integer, loadConfig, oneOf, onOff, type Settings, settingsTable, text } from './config.ts'

const settings = {
  port: { name: 'PORT', shape: integer({ min: 0, max: 65_535 }), default: '7070', description: 'Port' },
  latenessMs: {
    name: 'LATENESS_MS',
    shape: integer({ min: 1000, max: 60_000 }),
    default: '10000',
    unit: 'ms',
    description: 'How late a sample may be',
  },
  mode: { name: 'MODE', shape: oneOf(['fast', 'safe']), default: 'safe', description: 'One of `fast|safe`' },
  agent: { name: 'LOCAL_AGENT', shape: onOff, default: 'on', description: 'Whether to measure this machine' },
  password: { name: 'DB_PASSWORD', shape: text, default: '', secret: true, description: 'Password' },
  pin: {
    name: 'PIN',
    shape: integer({ min: 0, max: 9999 }),
    default: '0',
    secret: true,
    description: 'A secret number',
  },
} satisfies Settings

const folder = mkdtempSync(join(tmpdir(), 'minutely-config-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function fileWith(content: string): string {
  const path = join(folder, `value-${Math.random()}`)
  writeFileSync(path, content)
  return path
}

const load = (env: Record<string, string>) => loadConfig({ all: settings }, env).all

/** The lines of the ConfigError that this environment must cause. */
function problemsOf(env: Record<string, string>): string[] {
  try {
    load(env)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.split('\n').slice(1)
  }
  return assert.fail(`accepted: ${JSON.stringify(env)}`)
}

function problemOf(env: Record<string, string>): string {
  const problems = problemsOf(env)
  assert.equal(problems.length, 1, problems.join('\n'))
  return problems[0]?.replace('  - ', '') ?? ''
}

test('defaults without an environment; sections keep their keys', () => {
  const { a, b } = loadConfig({ a: { port: settings.port }, b: { mode: settings.mode } }, {})
  assert.deepEqual(a, { port: 7070 })
  assert.deepEqual(b, { mode: 'safe' })
})

test('values as written, blanks around them ignored', () => {
  const config = load({ MINUTELY_PORT: ' 80\n', MINUTELY_MODE: 'fast', MINUTELY_LOCAL_AGENT: 'off' })
  assert.deepEqual([config.port, config.mode, config.agent], [80, 'fast', false])
})

test('a blank variable is an absent one', () => {
  assert.equal(load({ MINUTELY_PORT: '', MINUTELY_PORT_FILE: '  ' }).port, 7070)
  assert.equal(load({ MINUTELY_PORT: ' \t', MINUTELY_PORT_FILE: fileWith('81') }).port, 81)
})

test('a misspelt variable is an error that names the nearest setting', () => {
  for (const [written, meant] of [
    ['MINUTELY_PROT', 'MINUTELY_PORT'],
    ['MINUTELY_LATENES', 'MINUTELY_LATENESS_MS'],
    ['MINUTELY_LATENESS_MS_', 'MINUTELY_LATENESS_MS'],
    ['MINUTELY_port', 'MINUTELY_PORT'],
    ['minutely_port', 'MINUTELY_PORT'],
    ['MINUTLEY_PORT', 'MINUTELY_PORT'],
    ['MINUTELY_DB_PASWORD_FILE', 'MINUTELY_DB_PASSWORD_FILE'],
  ] as const) {
    assert.equal(problemOf({ [written]: '1' }), `${written} is not a setting of this process; did you mean ${meant}?`)
  }
})

test('no far-fetched suggestion: the common prefix does not make names alike', () => {
  assert.equal(problemOf({ MINUTELY_FOO: '1' }), 'MINUTELY_FOO is not a setting of this process')
  assert.equal(problemOf({ MINUTELY_: '1' }), 'MINUTELY_ is not a setting of this process')
})

test("variables of others, of our scripts and of other prefixes are nobody's typo", () => {
  load({
    PORT: '1',
    PATH: '/bin',
    MINUTE_PORT_X: '1',
    MINUTELY_TEST_SEED: '1',
    MINUTELY_SCREENSHOT_DIR: '1',
    MINUET_A: '',
  })
})

test('NAME_FILE names a file that holds the value, without its line end', () => {
  assert.equal(load({ MINUTELY_DB_PASSWORD_FILE: fileWith('s3cret \n') }).password, 's3cret')
})

test('NAME and NAME_FILE at once are refused', () => {
  const problem = problemOf({ MINUTELY_PORT: '1', MINUTELY_PORT_FILE: fileWith('2') })
  assert.equal(problem, 'MINUTELY_PORT and MINUTELY_PORT_FILE are both set; keep one')
})

test('a file that cannot be read, or is empty, is an error: naming it was meant', () => {
  const missing = join(folder, 'missing')
  assert.match(
    problemOf({ MINUTELY_DB_PASSWORD_FILE: missing }),
    /MINUTELY_DB_PASSWORD_FILE: cannot read .*missing: ENOENT/,
  )
  assert.match(problemOf({ MINUTELY_DB_PASSWORD_FILE: folder }), /cannot read .*EISDIR/)
  assert.match(problemOf({ MINUTELY_DB_PASSWORD_FILE: fileWith(' \n') }), /is empty/)
})

test('neither a secret nor what a file holds is repeated in a message', () => {
  const written = problemOf({ MINUTELY_PIN: 'hunter2' })
  assert.match(written, /^MINUTELY_PIN=\(hidden\): must be a whole number from 0 to 9999/)
  // A wrong path may lead to any file.
  for (const name of ['MINUTELY_PIN_FILE', 'MINUTELY_PORT_FILE']) {
    assert.doesNotMatch(problemOf({ [name]: fileWith('hunter2') }), /hunter2/)
  }
})

test('no default is mentioned where there is none', () => {
  const name = { name: 'NAME', shape: oneOf(['', 'a']), default: '', description: '' }
  assert.throws(() => loadConfig({ all: { name } }, { MINUTELY_NAME: 'b' }), { message: /: must be one of , a$/ })
})

test('a long value is cut in the message', () => {
  assert.ok(problemOf({ MINUTELY_PORT: '9'.repeat(100_000) }).length < 300)
})

test('all problems at once, and how many', () => {
  const env = { MINUTELY_PORT: 'x', MINUTELY_MODE: 'slow', MINUTELY_LATENES: '1', MINUTELY_LOCAL_AGENT: 'yes' }
  assert.deepEqual(problemsOf(env), [
    '  - MINUTELY_PORT="x": must be a whole number from 0 to 65535 (default 7070)',
    '  - MINUTELY_MODE="slow": must be one of fast, safe (default safe)',
    '  - MINUTELY_LOCAL_AGENT="yes": must be on or off (default on)',
    '  - MINUTELY_LATENES is not a setting of this process; did you mean MINUTELY_LATENESS_MS?',
  ])
  assert.throws(() => load(env), { message: /^The configuration has 4 problems:\n/ })
  assert.throws(() => load({ MINUTELY_PORT: 'x' }), { message: /^The configuration has 1 problem:\n/ })
})

test('an integer is decimal, whole, exact and within its bounds', () => {
  for (const [written, value] of [
    ['1000', 1000],
    ['60000', 60_000],
    ['010000', 10_000],
  ] as const) {
    assert.equal(load({ MINUTELY_LATENESS_MS: written }).latenessMs, value)
  }
  for (const written of [
    '999',
    '60001',
    '1e4',
    '0x2710',
    '1_000',
    '10,000',
    '5000.0',
    '+5000',
    '10 000',
    '٥٠٠٠',
    'NaN',
  ]) {
    assert.equal(
      problemOf({ MINUTELY_LATENESS_MS: written }),
      `MINUTELY_LATENESS_MS=${JSON.stringify(written)}: must be a whole number from 1000 to 60000 (default 10000 ms)`,
    )
  }
  const wide = integer({ min: -(2 ** 60), max: 2 ** 60 })
  assert.equal(wide.parse('9007199254740991'), Number.MAX_SAFE_INTEGER)
  for (const written of ['9007199254740992', '9007199254740993', '-9007199254740993', '9'.repeat(400)]) {
    assert.ok(!wide.safeParse(written).success, written)
  }
  assert.ok(Object.is(wide.parse('-0'), 0))
})

test('a table of the settings, bars escaped', () => {
  assert.equal(
    settingsTable({ latenessMs: settings.latenessMs, mode: settings.mode, password: settings.password }),
    [
      '| variable | default | meaning |',
      '|---|---|---|',
      '| `MINUTELY_LATENESS_MS` | `10000` ms | How late a sample may be |',
      '| `MINUTELY_MODE` | `safe` | One of `fast\\|safe` |',
      '| `MINUTELY_DB_PASSWORD` | none | Password |',
    ].join('\n'),
  )
})

test('loadConfigOrExit: exit code 2, the problems on standard error, no stack', () => {
  const program = `
    import { integer, loadConfigOrExit } from ${JSON.stringify(new URL('./config.ts', import.meta.url).href)}
    const port = { name: 'PORT', shape: integer({ min: 0, max: 9 }), default: '7', description: '' }
    console.log(loadConfigOrExit({ a: { port } }).a.port)
  `
  const run = (env: Record<string, string>) =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      env: { PATH: process.env['PATH'], ...env },
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      encoding: 'utf8',
    })
  const wrong = run({ MINUTELY_PORT: '10' })
  assert.deepEqual([wrong.status, wrong.stdout], [2, ''])
  assert.equal(
    wrong.stderr,
    'The configuration has 1 problem:\n  - MINUTELY_PORT="10": must be a whole number from 0 to 9 (default 7)\n',
  )
  const right = run({ MINUTELY_PORT: '3' })
  assert.deepEqual([right.status, right.stdout, right.stderr], [0, '3\n', ''])
})
