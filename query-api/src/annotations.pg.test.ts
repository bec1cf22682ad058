/** Annotations over HTTP, against a real Postgres: kept, found, removed; what is refused; whose they are. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { type Annotation, annotation, annotationsAnswer } from '@minutely/schema/annotation-wire'
import { createTestApi, eventually, lockTable, startMs } from './test-api.ts'

let api: Awaited<ReturnType<typeof createTestApi>>
const path = '/v1/annotations'

before(async () => {
  api = await createTestApi({ annotationsMax: 6 })
})

function post(
  body: unknown,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Response> {
  return api.get(path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })
}

async function add(body: object): Promise<Annotation> {
  const response = await post(body)
  const text = await response.text()
  assert.equal(response.status, 201, text)
  return annotation.parse(JSON.parse(text))
}

async function texts(query = ''): Promise<string[]> {
  const response = await api.get(`${path}?${query}`)
  return annotationsAnswer.parse(await response.json()).annotations.map(({ text }) => text)
}

async function remove(annotationId: number): Promise<number> {
  return (await api.get(`${path}/${annotationId}`, { method: 'DELETE' })).status
}

describe('annotations', () => {
  it('are kept, found by time, server, metric and tag, and removed', async () => {
    const release = { startMs, endMs: startMs + 60_000, text: 'release', tags: ['release', 'web'], serverGlob: 'web_*' }
    const added = await add(release)
    const { annotationId, createdMs, ...rest } = added
    assert.deepEqual(rest, { ...release, metricGlob: null })
    assert.ok(createdMs > 0)
    const incident = await add({ startMs: startMs + 60_000, text: 'incident \u{1f525}', metricGlob: 'system.*' })
    assert.deepEqual([incident.endMs, incident.tags], [startMs + 60_000, []])

    const all = ['release', 'incident \u{1f525}']
    const cases: [string, string[]][] = [
      ['', all],
      [`from=${startMs}&to=${startMs + 60_001}`, all],
      [`from=${startMs + 60_000}`, all.slice(1)],
      [`to=${startMs + 60_000}`, all.slice(0, 1)],
      [`from=${startMs + 30_000}&to=${startMs + 30_001}`, all.slice(0, 1)],
      ['serverId=web_1', all],
      ['serverId=webx1', all.slice(1)],
      ['metricId=system.load', all],
      ['metricId=systemxload', all.slice(0, 1)],
      ['tag=web,none', all.slice(0, 1)],
      ['tag=none', []],
    ]
    for (const [query, expected] of cases) assert.deepEqual(await texts(query), expected, query)
    assert.equal(await remove(annotationId), 204)
    assert.equal(await remove(annotationId), 404)
    assert.deepEqual(await texts(), all.slice(1))
    assert.equal(await remove(incident.annotationId), 204)
  })

  it('come page by page, and no more are kept than may be, however many add at once', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => post({ startMs, text: 'x' })))
    assert.deepEqual(
      answers.map(({ status }) => status).sort((a, b) => a - b),
      [...Array(6).fill(201), ...Array(6).fill(422)],
    )
    const full = (await (await post({ startMs, text: 'x' })).json()) as { error: string }
    assert.equal(full.error, 'too-many-annotations')
    const ids: number[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`
      const page = annotationsAnswer.parse(await (await api.get(`${path}?limit=4${query}`)).json())
      ids.push(...page.annotations.map(({ annotationId }) => annotationId))
      cursor = page.nextCursor
    }
    assert.equal(new Set(ids).size, 6)
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    for (const id of ids) assert.equal(await remove(id), 204)
  })

  const json = { 'content-type': 'application/json' }
  const refused: [string, unknown, Record<string, string>, number, string][] = [
    ['no JSON', '{', json, 400, 'request-invalid'],
    ['no body', '', json, 400, 'request-invalid'],
    ['no object', [1], json, 400, 'annotation-invalid'],
    ['no text', { startMs }, json, 400, 'annotation-invalid'],
    ['a text with NUL', { startMs, text: 'a\0' }, json, 400, 'annotation-invalid'],
    ['half a surrogate', '{"startMs":1,"text":"\\ud800"}', json, 400, 'annotation-invalid'],
    ['an end before its start', { startMs, endMs: startMs - 1, text: 'x' }, json, 400, 'annotation-invalid'],
    ['seconds with a fraction', { startMs: 1.5, text: 'x' }, json, 400, 'annotation-invalid'],
    ['a misspelt field', { startMs, text: 'x', tag: ['a'] }, json, 400, 'annotation-invalid'],
    ['a glob of no server', { startMs, text: 'x', serverGlob: '%' }, json, 400, 'annotation-invalid'],
    ['plain text', { startMs, text: 'x' }, { 'content-type': 'text/plain' }, 415, 'content-type-unsupported'],
    ['too large a body', { startMs, text: 'x'.repeat(40_000) }, json, 413, 'body-too-large'],
  ]
  for (const [what, body, headers, status, id] of refused) {
    it(`are refused with ${what}`, async () => {
      const response = await post(body, headers)
      const answer = (await response.json()) as { error: string; message: string }
      assert.deepEqual([response.status, answer.error], [status, id], answer.message)
    })
  }

  it('have no other methods, and ids that are numbers', async () => {
    const put = await api.get(path, { method: 'PUT' })
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, HEAD, POST'])
    const get = await api.get(`${path}/1`)
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'DELETE'])
    assert.equal((await api.get(`${path}/x`, { method: 'DELETE' })).status, 400)
    assert.equal((await api.get(`${path}/9007199254740993`, { method: 'DELETE' })).status, 400)
    assert.equal((await api.get(`${path}?cursor=WzEsOS45ZTMwLDFd`)).status, 400)
  })

  it('belong to their tenant', async () => {
    await api.pool.query("insert into tenant (name) values ('other')")
    const { rows } = await api.pool.query<{ id: string }>(
      `insert into annotation (tenant_id, start_at, end_at, text, tags) values (2, now(), now(), 'secret', '{}')
       returning annotation_id as id`,
    )
    assert.deepEqual(await texts(), [])
    assert.equal(await remove(Number(rows[0]?.id)), 404)
  })

  it('stop in Postgres when their client goes away, and nothing is kept', async () => {
    const { waiting, release } = await lockTable(api.pool, 'annotation')
    const body = JSON.stringify({ startMs, text: 'never' })
    for (const init of [{}, { method: 'POST', headers: json, body }]) {
      const browser = new AbortController()
      const aborted = assert.rejects(api.get(path, { ...init, signal: browser.signal }), { name: 'AbortError' })
      await eventually(async () => assert.equal(await waiting(), 1))
      browser.abort()
      await aborted
      await eventually(async () => assert.equal(await waiting(), 0))
    }
    await release()
    assert.deepEqual(await texts(), [])
  })

  it('are 503 while the database is of an older version, and so is nothing else', async () => {
    const older = await createTestApi()
    await older.pool.query('drop table annotation; drop owned by minutely_annotate')
    const answer = (await (await older.get(path)).json()) as { error: string; message: string }
    assert.equal(answer.error, 'store-unavailable')
    assert.match(answer.message, /older version.*annotation/)
    const body = JSON.stringify({ startMs, text: 'x' })
    assert.equal((await older.get(path, { method: 'POST', headers: json, body })).status, 503)
    assert.equal((await older.get('/v1/servers')).status, 200)
  })
})
