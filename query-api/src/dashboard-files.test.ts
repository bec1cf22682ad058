/** What a browser gets below `/`, and what it must not. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { registerDashboard } from './dashboard-files.ts'

const html = { accept: 'text/html,*/*;q=0.8' }
let folder = ''
let app: FastifyInstance

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'minutely-dashboard-'))
  const dist = join(folder, 'dist')
  await mkdir(join(dist, 'assets'), { recursive: true })
  await writeFile(join(dist, 'index.html'), '<p>index</p>')
  await writeFile(join(dist, '.secret'), 'secret')
  await writeFile(join(dist, 'assets', 'app-1a2b.js'), 'app()')
  await writeFile(join(folder, 'outside.txt'), 'outside')
  app = Fastify()
  app.get('/v1/servers', async () => 'api')
  await app.register((instance) => registerDashboard(instance, dist))
})
after(async () => {
  await app.close()
  await rm(folder, { recursive: true })
})

describe('the dashboard', () => {
  it('is index.html wherever a browser navigates, asked for anew each time, under a strict policy', async () => {
    for (const url of ['/', '/index.html', '/servers/web-1.example.com', '/a/b?c=d']) {
      const answer = await app.inject({ url, headers: html })
      assert.equal(answer.body, '<p>index</p>', url)
      assert.equal(answer.headers['cache-control'], 'no-cache')
      assert.match(String(answer.headers['content-type']), /^text\/html/)
      assert.match(
        String(answer.headers['content-security-policy']),
        /default-src 'self'; style-src 'self' 'unsafe-inline'/,
      )
    }
  })

  it('has assets that never change', async () => {
    const answer = await app.inject({ url: '/assets/app-1a2b.js' })
    assert.equal(answer.body, 'app()')
    assert.equal(answer.headers['cache-control'], 'public, max-age=31536000, immutable')
    assert.match(String(answer.headers['content-type']), /javascript/)
  })

  it('leaves the API and programs their 404', async () => {
    assert.equal((await app.inject({ url: '/v1/servers', headers: html })).body, 'api')
    assert.equal((await app.inject({ url: '/v1/nothing', headers: html })).statusCode, 404)
    assert.equal((await app.inject({ url: '/assets/old.js' })).statusCode, 404)
    assert.equal((await app.inject({ url: '/nothing', headers: { accept: '*/*' } })).statusCode, 404)
  })

  it('shows nothing outside its folder, and no dotfiles', async () => {
    for (const url of ['/../outside.txt', '/%2e%2e/outside.txt', '/assets/..%2f..%2foutside.txt', '/.secret', '/%00']) {
      const answer = await app.inject({ url })
      assert.ok(answer.statusCode >= 400, `${url}: ${answer.statusCode}`)
      assert.doesNotMatch(answer.body, /^(outside|secret)$/)
    }
  })

  it('explains itself when it is not built', async () => {
    const bare = Fastify()
    await bare.register((instance) => registerDashboard(instance, undefined))
    const answer = await bare.inject({ url: '/', headers: html })
    assert.match(answer.body, /not built/)
    await bare.close()
  })
})
