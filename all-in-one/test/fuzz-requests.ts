/**
 * Requests made out of the API's own OpenAPI document: for each operation its parameters and body as the document says (valid), nearly so
 * (a bound passed, a value repeated, cut, emptied), and hostile. What the document cannot know, such as which servers
 * there are, comes from pools by the name of the parameter.
 */
import fc from 'fast-check'

interface Schema {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly items?: Schema
  readonly minimum?: number
  readonly maximum?: number
  readonly multipleOf?: number
}

interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path' | 'header'
  readonly schema: Schema
}

export interface Operation {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly example?: unknown; readonly examples?: object }>>
  }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { examples?: object }>> }>>
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

export interface FuzzRequest {
  readonly path: string
  readonly documentedMethod: string
  readonly method: string
  /** Path and query, percent-encoded or meant to be wrong. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** Whether all of it is as the document says. */
  readonly isValid: boolean
}

interface Piece {
  readonly text: string
  readonly isValid: boolean
}

/** Grows while the fuzz runs: cursors and ETags of answers, ids of annotations. */
export interface SeenValues {
  readonly cursors: string[]
  readonly etags: string[]
  readonly annotationIds: string[]
}

const hostile = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      ' ',
      '\0',
      "' or 1=1 --",
      '%',
      '_',
      '*',
      '!',
      '\\',
      '../..',
      '__proto__',
      'constructor',
      'NaN',
      '-0',
      '1e309',
      '0x10',
    ],
    ...[
      '9'.repeat(400),
      'a'.repeat(2000),
      '*a'.repeat(90),
      '\u{1f525}',
      '\u202e',
      '\ud7ff',
      '{"$gt":1}',
      '[1]',
      'null',
      '-1',
      '1.5',
    ],
    ...[
      '99999999999999999999',
      '1970-01-01',
      '2026-02-30T00:00:00Z',
      'now+1h',
      '-9999999999w',
      'a,,b',
      ',',
      'WzEsIngiXQ',
      'W10',
    ],
  ),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
)

function poolOf(name: string, seen: SeenValues): readonly string[] | undefined {
  const pools: Readonly<Record<string, readonly string[]>> = {
    serverId: ['web-1', 'web-2', 'Db:3', 'nobody'],
    metricId: ['system.cpu.utilization', 'system.memory.usage', 'a:b/c', 'nothing'],
    from: ['-1h', '-3h', '-15m', '-2d', '2026-01-01T00:00:00Z', '0'],
    to: ['now', '-1m', '-90m', '253402300799999'],
    label: ['cpu.mode:user', 'cpu.mode:!idle', 'device:sd*', 'device:!*', 'a:\\*', 'no:x:y'],
    query: ['web', 'B', 'system', 'x'],
    tag: ['release', 'a', 'none'],
    cursor: seen.cursors,
    annotationId: [...seen.annotationIds, '1'],
    'Last-Event-ID': ['1', '1790000000000', ''],
  }
  const pool = pools[name]
  return pool === undefined || pool.length === 0 ? undefined : pool
}

const globs = ['*', 'system.*', 'system.cpu.*,a:b/c', '*e*']

function validValue(name: string, schema: Schema, seen: SeenValues): fc.Arbitrary<string> {
  const pool = poolOf(name, seen)
  if (pool !== undefined)
    return fc.constantFrom(...pool, ...(name === 'metricId' && schema.type === 'array' ? globs : []))
  const { minimum = 0, maximum = 1000, multipleOf = 1 } = schema
  switch (schema.type) {
    case 'integer': {
      const [low, high] = [Math.max(minimum, 0), Math.min(maximum, 1e7)]
      const count = fc.integer({ min: Math.ceil(low / multipleOf), max: Math.max(1, Math.floor(high / multipleOf)) })
      return fc.oneof(fc.nat(20), count).map((n) => String(Math.min(high, Math.max(low, n * multipleOf, multipleOf))))
    }
    case 'number':
      return fc.constantFrom(...[minimum, maximum, (minimum + maximum) / 2, 0.95].map(String))
    default:
      return schema.enum === undefined ? fc.stringMatching(/^[a-z]{1,5}$/) : fc.constantFrom(...schema.enum)
  }
}

function nearlyValid(valid: fc.Arbitrary<string>, { minimum, maximum }: Schema): fc.Arbitrary<string> {
  const bounds = [minimum, maximum].flatMap((bound) =>
    bound === undefined ? [] : [bound - 1, bound, bound + 1, -bound],
  )
  const change = fc.constantFrom<(text: string) => string>(
    (text) => text.slice(0, -1),
    (text) => `${text}0`,
    (text) => `${text},${text}`,
    (text) => ` ${text}`,
    (text) => text.toUpperCase(),
    (text) => `-${text}`,
    (text) => `${text}%`,
    (text) => `*${text}*`,
  )
  const changed = fc.tuple(valid, change).map(([text, apply]) => apply(text))
  return bounds.length === 0 ? changed : fc.oneof(changed, fc.constantFrom(...bounds.map(String)))
}

function pieceOf(name: string, schema: Schema, context: { seen: SeenValues; isValid: boolean }): fc.Arbitrary<Piece> {
  const item =
    schema.type === 'array'
      ? { ...schema.items, type: schema.items?.type === 'string' ? 'array' : schema.items?.type }
      : schema
  const valid = validValue(name, (schema.items?.enum === undefined ? item : schema.items) as Schema, context.seen)
  const asValid = valid.map((text) => ({ text, isValid: true }))
  if (context.isValid) return asValid
  const asInvalid = fc
    .oneof(nearlyValid(valid, schema.items ?? schema), hostile)
    .map((text) => ({ text, isValid: false }))
  return fc.oneof({ arbitrary: asValid, weight: 3 }, { arbitrary: asInvalid, weight: 1 })
}

/** Encoded, but for what is to be wrong as a URL. */
function encode(text: string): string {
  return text === '\0' ? '%zz' : encodeURIComponent(text.toWellFormed())
}

function urlOf(
  path: string,
  operation: Operation,
  context: { seen: SeenValues; isValid: boolean },
): fc.Arbitrary<string> {
  const parameters = operation.parameters ?? []
  const pathPieces = fc.record(
    Object.fromEntries(
      parameters.filter((p) => p.in === 'path').map((p) => [p.name, pieceOf(p.name, p.schema, context)]),
    ),
  )
  const query = fc.tuple(
    ...parameters
      .filter((p) => p.in === 'query')
      .map(({ name, schema }) => {
        const most = context.isValid && schema.type !== 'array' ? 1 : 2
        const values = fc.array(pieceOf(name, schema, context), { minLength: 1, maxLength: most })
        return fc
          .option(values, { freq: 1 })
          .map((pieces) => (pieces ?? []).map(({ text }) => `${encode(name)}=${encode(text)}`))
      }),
  )
  const stray = fc.constantFrom(
    'x=1',
    '__proto__=1',
    'from[]=1',
    'label.cpu.mode=user',
    'label.=1',
    '=',
    '&&',
    'limit',
    '%ff=%fe',
  )
  const strays = context.isValid ? fc.constant([]) : fc.array(stray, { maxLength: 1 })
  return fc.tuple(pathPieces, query, strays).map(([names, pairs, others]) => {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encode(names[name]?.text ?? ''))
    const all = [...pairs.flat(), ...others]
    return all.length === 0 ? filled : `${filled}?${all.join('&')}`
  })
}

function bodyOf(
  operation: Operation,
  isValid: boolean,
): fc.Arbitrary<{ body: string | undefined; headers: Record<string, string> }> {
  const content = operation.requestBody?.content
  if (content === undefined) return fc.constant({ body: undefined, headers: {} })
  const { example, examples } = content['application/json'] ?? {}
  const samples =
    examples === undefined ? [example] : Object.values(examples).map((one: { value: unknown }) => one.value)
  const json = { 'content-type': 'application/json' }
  const valid = fc.constantFrom(...samples).map((value) => ({ body: JSON.stringify(freshened(value)), headers: json }))
  if (isValid) return valid
  const types = [
    'application/json',
    'application/json; charset=utf-16',
    'text/plain',
    'application/avro',
    'x',
    'multipart/form-data',
  ]
  const cut = fc.tuple(valid, fc.nat(100)).map(([{ body }, at]) => ({ body: body.slice(0, at), headers: json }))
  const changed = fc.tuple(fc.constantFrom(...samples), fc.nat(20), fc.jsonValue()).map(([value, at, replacement]) => {
    let place = 0
    const text = JSON.stringify(value, (key, inner) => (key !== '' && place++ === at ? replacement : inner))
    return { body: text ?? '', headers: json }
  })
  const any = fc.tuple(
    fc.oneof(fc.json(), hostile),
    fc.constantFrom(...types),
    fc.constantFrom('gzip', 'br', 'identity', undefined),
  )
  return fc.oneof(
    valid,
    cut,
    changed,
    any.map(([body, type, encoding]) => ({
      body,
      headers: { 'content-type': type, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) },
    })),
  )
}

/** The examples' instants are of long ago. */
function freshened(value: unknown): unknown {
  const shiftMs = Math.floor((Date.now() - 60_000) / 1000) * 1000 - 1_764_028_800_000
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
    ['startMs', 'endMs', 'ts'].includes(key) && typeof inner === 'number' ? inner + shiftMs : inner,
  )
}

export function fuzzRequests(document: ApiDocument, seen: SeenValues): fc.Arbitrary<FuzzRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const accepts = [
    'application/json',
    'text/csv',
    'application/x-ndjson',
    '*/*',
    'text/*;q=0.5',
    'text/html',
    'x',
    'application/json;q=0',
  ]
  return fc
    .tuple(fc.constantFrom(...operations), fc.boolean(), fc.constantFrom(...accepts), fc.nat(99))
    .chain(([{ path, method, operation }, isValid, accept, dice]) => {
      const context = { seen, isValid }
      const other = fc.constantFrom('PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD')
      const asked = !isValid && dice < 5 ? other : fc.constant(method)
      return fc
        .tuple(urlOf(path, operation, context), bodyOf(operation, isValid), asked)
        .map(([url, { body, headers }, sent]) => ({
          path,
          documentedMethod: method,
          method: sent,
          url,
          headers: {
            ...headers,
            ...(isValid && dice >= 30 ? {} : { accept }),
            ...(dice % 10 === 0 ? { 'if-none-match': seen.etags.at(dice) ?? '*' } : {}),
          },
          body: ['HEAD', 'OPTIONS'].includes(sent) ? undefined : body,
          isValid: isValid && dice >= 30,
        }))
    })
}
