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
  await writeFile(join(dist, 'favicon.svg'), '<svg/>')
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

  it('is index.html for curl, uptime checks and link previews too', async () => {
    const accepts = [{}, { accept: '*/*' }, { accept: 'application/json, text/plain, */*' }, { accept: 'text/*' }]
    for (const headers of accepts) {
      for (const url of ['/', '/servers/vm', '/servers/web-1.example.com', '/servers/10.0.0.1']) {
        const answer = await app.inject({ url, headers })
        assert.deepEqual([answer.statusCode, answer.body], [200, '<p>index</p>'], `${url} ${headers.accept}`)
        const head = await app.inject({ url, headers, method: 'HEAD' })
        assert.deepEqual([head.statusCode, head.body], [200, ''])
        assert.match(String(head.headers['content-type']), /^text\/html/)
      }
    }
  })

  it('has its icon where programs look for one unasked', async () => {
    const answer = await app.inject({ url: '/favicon.ico', headers: { accept: 'image/avif,image/*,*/*;q=0.8' } })
    assert.deepEqual([answer.statusCode, answer.body], [200, '<svg/>'])
    assert.match(String(answer.headers['content-type']), /^image\/svg\+xml/)
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
    const missing = ['/v1', '/v1/nothing', '/assets/old.js', '/assets/', '/robots.txt', '/apple-touch-icon.png']
    for (const url of missing) {
      for (const method of ['GET', 'HEAD'] as const) {
        assert.equal((await app.inject({ url, method })).statusCode, 404, `${method} ${url}`)
      }
    }
    for (const accept of ['application/json', 'application/json, text/html;q=0', 'application/*', 'image/png']) {
      assert.equal((await app.inject({ url: '/servers/vm', headers: { accept } })).statusCode, 404, accept)
    }
    assert.equal((await app.inject({ url: '/servers/vm', method: 'POST' })).statusCode, 404)
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
