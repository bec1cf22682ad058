import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeenServers } from './seen-servers.ts'

const web = { tenantId: 'default', serverId: 'web' }

test('a span within what was noted is known, one beyond it is not, of no other server and no other tenant', () => {
  const seen = new SeenServers()
  assert.equal(seen.has(web, { first: 10, last: 20 }), false)
  seen.note(web, { first: 10, last: 20 })
  seen.note(web, { first: 15, last: 30 })
  assert.equal(seen.has(web, { first: 10, last: 30 }), true)
  assert.equal(seen.has(web, { first: 9, last: 30 }), false)
  assert.equal(seen.has(web, { first: 10, last: 31 }), false)
  assert.equal(seen.has({ ...web, serverId: 'db' }, { first: 10, last: 20 }), false)
  assert.equal(seen.has({ ...web, tenantId: 'other' }, { first: 10, last: 20 }), false)
  seen.forget()
  assert.equal(seen.has(web, { first: 10, last: 20 }), false)
})
